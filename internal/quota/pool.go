package quota

// Greed is how many times what is left a user may hold: alone, eight ninths.
const Greed = 8

// little is the part of a pool, one of so many, up to which a user holds next to nothing.
const little = 2048

// Pool is a resource and how much of it is in use, be it connections, memory or the disk. A part of it is root's and
// the service user's alone. Of the rest a user gets what there is, but never more than Greed times what then is left:
// one who is alone gets nearly all, and every further one finds something. What many user ids of one attacker leave is
// little, so half as much as the first part is for users who hold next to nothing.
type Pool struct {
	Size, Used int64 // Size 0 is no bound
	Reserve    int   // percent of Size that only trusted users get; 0 is neither reserve nor shares
}

// Gives reports whether a user who holds own gets n more.
func (p Pool) Gives(own, n int64, trusted bool) bool {
	if p.Size <= 0 {
		return true
	}
	left := p.Size - p.Used - n
	if trusted {
		return left >= 0
	}
	if p.Reserve <= 0 {
		return left >= 0 // first come, first served
	}
	left -= p.Size * int64(p.Reserve) / 100
	if own+n > max(1, p.Size/little) {
		left -= p.Size * int64(p.Reserve) / 200
	}
	return left >= 0 && (own == 0 || own+n <= Greed*left)
}

// Crowded reports whether less than a quarter of what other users may take is left.
func (p Pool) Crowded() bool {
	open := p.Size - p.Size*int64(p.Reserve)/100
	return p.Size > 0 && open-p.Used < open/4
}
