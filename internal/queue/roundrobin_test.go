package queue

import "testing"

func TestRoundRobin(t *testing.T) {
	t.Parallel()
	var r roundRobin[string]
	for _, s := range []string{"a", "b", "c", "d"} {
		r.add(s)
	}
	seen := map[string]int{}
	for range 8 {
		m, _ := r.next()
		seen[m]++
	}
	for _, s := range []string{"a", "b", "c", "d"} {
		if seen[s] != 2 {
			t.Errorf("%v", seen)
		}
	}
	m, place := r.next()
	r.drop(place)
	r.remove("d")
	r.remove("nobody")
	for range 4 {
		if got, _ := r.next(); got == m || got == "d" {
			t.Errorf("%s is still there", got)
		}
	}
}
