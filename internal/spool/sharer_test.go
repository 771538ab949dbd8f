package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestSharer(t *testing.T) {
	t.Parallel()
	remote := func(origin string) Meta { return Meta{UID: -1, Origin: origin} }
	for _, c := range []struct {
		a, b Meta
		same bool
	}{
		{remote("smtp 192.0.2.5:40000"), remote("smtp 192.0.2.5:40001"), true},
		{remote("smtp 192.0.2.5:40000"), remote("smtp 192.0.2.6:40000"), false},
		{remote("smtp 192.0.2.5:40000"), remote(Unprocessed + "smtp 192.0.2.5:7"), true},
		{remote("smtp [::ffff:192.0.2.5]:40000"), remote("smtp 192.0.2.5:40001"), true},
		{remote("smtp [2001:db8::1]:40000"), remote("smtp [2001:db8::ffff:2]:40001"), true},
		{remote("smtp [2001:db8:0:1::1]:40000"), remote("smtp [2001:db8:0:2::1]:40000"), false},
		{remote("smtp [fe80::1%eth0]:40000"), remote("smtp [fe80::1%eth1]:40000"), true},
		{remote("smtp odd"), remote("report"), true},
		{remote("smtp 192.0.2.5:40000"), remote("report"), false},
		{Meta{UID: 33, Origin: "smtp 127.0.0.1:7"}, Meta{UID: 33, Origin: "userid 33"}, true},
		{Meta{UID: 33}, Meta{UID: 34}, false},
	} {
		if a, b := c.a.Sharer(), c.b.Sharer(); (a == b) != c.same || c.a.UID < 0 && a >= 0 || a < -1 && a >= -1024 {
			t.Errorf("%+v is %d, %+v is %d", c.a, a, c.b, b)
		}
	}
}

// TestRemoteHostsShareAlike: a host that has filled its bound takes nothing from another, and the other is not
// refused for it; nor do the subordinate ids of one user have bounds of their own.
func TestRemoteHostsShareAlike(t *testing.T) {
	t.Parallel()
	for _, reopen := range []bool{false, true} {
		o := Options{Dir: filepath.Join(t.TempDir(), "spool"), Ops: withoutSync()}
		o.Limits.MaxMessages, o.Limits.MaxMessagesPerUser = 1000, 3
		o.Owner = func(uid int) int {
			if uid >= 100000 {
				return 1001
			}
			return uid
		}
		s, _ := open(t, o)
		put := func(m Meta) error {
			_, err := s.Put(context.Background(), m, to("x@example.org"), hello)
			return err
		}
		full := func(name string, m func(i int) Meta, who string) {
			t.Helper()
			for i := range 3 {
				if err := put(m(i)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if reopen { // by a count of the queue
				_ = s.Close()
				s, _ = open(t, o)
				if err := s.usage.recount(context.Background()); err != nil {
					t.Error(err)
				}
			}
			var limit *LimitError
			if err := put(m(3)); !errors.As(err, &limit) || !strings.Contains(err.Error(), who) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, host := range []string{"192.0.2.5", "192.0.2.6"} {
			full(host, func(i int) Meta { return Meta{UID: -1, Origin: fmt.Sprintf("smtp %s:%d", host, 40000+i)} },
				host)
		}
		full("network", func(i int) Meta { return Meta{UID: -1, Origin: fmt.Sprintf("smtp [2001:db8::%d]:25", i)} },
			"2001:db8::/64")
		full("subordinate ids", func(i int) Meta { return Meta{UID: 100000 + i, Origin: "test"} }, "uid 100003")
		if err := put(Meta{UID: 1001, Origin: "test"}); err == nil {
			t.Error("their owner has another limit")
		}
	}
}
