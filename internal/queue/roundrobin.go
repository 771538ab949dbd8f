package queue

// roundRobin visits its members in turn.
type roundRobin[T comparable] struct {
	members []T
	at      int // of the next
}

func (r *roundRobin[T]) len() int { return len(r.members) }

func (r *roundRobin[T]) add(m T) { r.members = append(r.members, m) }

// next returns the member whose turn it is, and its place for drop.
func (r *roundRobin[T]) next() (m T, place int) {
	if r.at >= len(r.members) {
		r.at = 0
	}
	place = r.at
	r.at++
	return r.members[place], place
}

// drop removes the member at the place that next gave.
func (r *roundRobin[T]) drop(place int) {
	last := len(r.members) - 1
	var none T
	r.members[place] = r.members[last]
	r.members[last] = none
	r.members = r.members[:last]
	if r.at > place {
		r.at = place
	}
}

func (r *roundRobin[T]) remove(m T) {
	for i := range r.members {
		if r.members[i] == m {
			r.drop(i)
			return
		}
	}
}
