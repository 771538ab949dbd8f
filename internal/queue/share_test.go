package queue

import "testing"

func TestSharesOfALimit(t *testing.T) {
	t.Parallel()
	usual := Shares{Reserve: 10, Small: 5, User: 50}
	for _, c := range []struct {
		s                               Shares
		limit                           int
		root, lightest, user, own, part int
	}{
		{Shares{}, 30, 30, 30, 30, 0, 30},
		{usual, 0, 0, 0, 0, 0, 0},
		{usual, 1, 1, 1, 1, 0, 1},
		{usual, 2, 2, 2, 2, 0, 1},
		{usual, 3, 3, 2, 2, 0, 1},
		{usual, 5, 5, 4, 3, 1, 1},
		{usual, 30, 30, 27, 25, 1, 12},
		{usual, 10000, 10000, 9000, 8500, 100, 4250},
		{Shares{Reserve: 40, Small: 40}, 10000, 10000, 6000, 5001, 200, 10000},
		{usual, 10000000, 10000000, 9000000, 8500000, 100000, 4250000},
	} {
		got := [...]int{
			c.s.Within(c.limit, RankRoot), c.s.Within(c.limit, RankLight), c.s.Within(c.limit, RankUser),
			c.s.light(c.limit), c.s.share(c.limit),
		}
		if want := [...]int{c.root, c.lightest, c.user, c.own, c.part}; got != want {
			t.Errorf("%+v of %d: %v, want %v", c.s, c.limit, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var y tally
	y.add(10, 2)
	y.add(10, 1)
	y.add(70, 5)
	if n := y.since(10, 70); n != 8 {
		t.Error(n)
	}
	y.takeBack(70, 1)
	y.takeBack(70, 100)
	y.takeBack(11, 100)
	if n := y.since(0, 70); n != 3 || len(y) != 1 {
		t.Error(n, y)
	}
	if n := y.since(0, 9); n != 0 || len(y) != 0 {
		t.Errorf("%d from the time before the clock was set back, %v", n, y)
	}
}
