package spool

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestShares: one user never fills the queue for the others, nor do many for root.
func TestShares(t *testing.T) {
	t.Parallel()
	u := &usage{s: &Spool{o: Options{Limits: Limits{MaxMessages: 1000, MaxBytes: 1000 << 10, ReservePercent: 10}}}}
	var all table
	fill := func(uid int, size int64) (n int, err error) {
		for ; n < 2000; n++ {
			if err = u.exceeds(&all, Meta{UID: uid}, size); err != nil {
				return n, err
			}
			all.add(uid, 1, size)
		}
		return n, nil
	}
	n, err := fill(33, 100)
	var full *LimitError
	if n < 650 || n > 820 || !errors.As(err, &full) || !strings.Contains(err.Error(), "share") {
		t.Errorf("a user who is alone has %d of 1000: %v", n, err)
	}
	for uid := 20_000; uid < 20_040; uid++ { // as many as have a part of the smaller reserve
		if n, _ := fill(uid, 100); n == 0 {
			t.Errorf("uid %d gets nothing", uid)
		}
	}
	if n, _ := fill(0, 100); n < 100 {
		t.Errorf("root gets %d", n)
	}
	all = table{}
	if n, _ := fill(33, 10<<10); n < 65 || n > 82 {
		t.Errorf("a user who is alone has %d x 10 KiB of 1000", n)
	}
	if err := u.exceeds(&all, Meta{UID: 34}, 10<<10); err != nil {
		t.Error(err)
	}
	all = table{}
	if n, _ := fill(os.Geteuid(), 100); n != 1000 {
		t.Errorf("the process's own user has %d", n)
	}
}
