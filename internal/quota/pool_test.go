package quota

import "testing"

// fill lets each of the users take what it can get, in turn, until nobody gets more.
func fill(p *Pool, users int) []int64 {
	held := make([]int64, users)
	for more := true; more; {
		more = false
		for i := range held {
			if p.Gives(held[i], 1, false) {
				held[i]++
				p.Used++
				more = true
			}
		}
	}
	return held
}

func TestGives(t *testing.T) {
	t.Parallel()
	for _, users := range []int{1, 2, 5, 50, 500} {
		p := Pool{Size: 100_000, Reserve: 10}
		held := fill(&p, users)
		if users == 1 && (held[0] < 72_000 || held[0] > 80_000) {
			t.Errorf("a user who is alone gets %d", held[0])
		}
		if held[0]-held[users-1] > 1 {
			t.Errorf("%d users: the first has %d, the last %d", users, held[0], held[users-1])
		}
		if n := p.Size - p.Used - p.Size/10; n < 5000 || !p.Gives(0, 48, false) {
			t.Errorf("%d users leave %d to another", users, n)
		}
		for p.Gives(0, 1, false) {
			p.Used++
		}
		if p.Size-p.Used != p.Size/10 || !p.Gives(0, p.Size/10, true) || p.Gives(0, p.Size/10+1, true) {
			t.Errorf("%d are left to root", p.Size-p.Used)
		}
	}
}

func TestSmallPools(t *testing.T) {
	t.Parallel()
	for size := int64(1); size < 40; size++ {
		if !(Pool{Size: size, Reserve: 10}).Gives(0, 1, false) {
			t.Errorf("of %d nobody gets one", size)
		}
	}
	if !(Pool{}).Gives(1<<40, 1<<40, false) || (Pool{}).Crowded() {
		t.Error("without a bound there is one")
	}
	if (Pool{Size: 8, Used: 6}).Crowded() || !(Pool{Size: 8, Used: 7}).Crowded() {
		t.Error("a quarter")
	}
}
