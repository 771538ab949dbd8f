package queue

import "testing"

func TestFIFO(t *testing.T) {
	t.Parallel()
	var f fifo[int]
	var want []int
	for i := range 1000 {
		switch {
		case i%7 == 3 && len(want) > 0:
			if got := f.pop(); got != want[0] {
				t.Fatalf("%d: got %d, want %d", i, got, want[0])
			}
			want = want[1:]
		case i%5 == 0:
			f.pushFront(i)
			want = append([]int{i}, want...)
		case i%11 == 0 && len(want) > 2:
			gone := want[2]
			if !f.remove(func(v int) bool { return v == gone }) {
				t.Fatal("not found")
			}
			want = append(want[:2:2], want[3:]...)
		default:
			f.push(i)
			want = append(want, i)
		}
		if f.len() != len(want) {
			t.Fatalf("%d: length %d, want %d", i, f.len(), len(want))
		}
	}
	for _, w := range want {
		if got := f.pop(); got != w {
			t.Fatalf("got %d, want %d", got, w)
		}
	}
}

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
