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

// fifo is a queue that also takes back at its front.
type fifo[T any] struct {
	buf  []T
	head int
	n    int
}

func (f *fifo[T]) len() int { return f.n }

func (f *fifo[T]) grow() {
	if f.n < len(f.buf) {
		return
	}
	next := make([]T, max(4, 2*len(f.buf)))
	for i := range f.n {
		next[i] = f.buf[(f.head+i)%len(f.buf)]
	}
	f.buf, f.head = next, 0
}

func (f *fifo[T]) push(v T) {
	f.grow()
	f.buf[(f.head+f.n)%len(f.buf)] = v
	f.n++
}

func (f *fifo[T]) pushFront(v T) {
	f.grow()
	f.head = (f.head + len(f.buf) - 1) % len(f.buf)
	f.buf[f.head] = v
	f.n++
}

func (f *fifo[T]) pop() T {
	var none T
	v := f.buf[f.head]
	f.buf[f.head] = none
	f.head = (f.head + 1) % len(f.buf)
	f.n--
	if f.n == 0 {
		f.head = 0
		if len(f.buf) > 64 {
			f.buf = nil
		}
	}
	return v
}

// at returns the i-th member, without taking it out.
func (f *fifo[T]) at(i int) T { return f.buf[(f.head+i)%len(f.buf)] }

// remove takes out the first member for which match is true.
func (f *fifo[T]) remove(match func(T) bool) bool {
	i := f.index(match)
	if i >= 0 {
		f.take(i)
	}
	return i >= 0
}

// index returns the place of the first member for which match is true, -1 if there is none.
func (f *fifo[T]) index(match func(T) bool) int {
	for i := range f.n {
		if match(f.at(i)) {
			return i
		}
	}
	return -1
}

// take takes out the i-th member.
func (f *fifo[T]) take(i int) T {
	if i == 0 {
		return f.pop()
	}
	v := f.at(i)
	for ; i < f.n-1; i++ {
		f.buf[(f.head+i)%len(f.buf)] = f.at(i + 1)
	}
	var none T
	f.buf[(f.head+f.n-1)%len(f.buf)] = none
	f.n--
	return v
}
