package host

import (
	"strings"
	"testing"
)

func TestSubordinate(t *testing.T) {
	t.Parallel()
	const file = "# comment\nroot:100000:1000\n\nbroken:x:y\n1001:200000:65536\nnobody-here:300000:10\n 1002:400000:1\n"
	for uid, want := range map[int]int{99999: -1, 100000: 0, 100999: 0, 101000: -1, 200000: 1001, 265535: 1001,
		265536: -1, 300005: -1, 400000: 1002, 400001: -1} {
		user, ok := subordinate(strings.NewReader(file), uid)
		if !ok {
			user = -1
		}
		if user != want {
			t.Errorf("uid %d belongs to %d, want %d", uid, user, want)
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		uid   int
		known bool
	}{{0, true}, {61184, true}, {65519, true}, {-1, false}, {1999999999, false}} {
		if id, known := Owner(c.uid); id != c.uid || known != c.known {
			t.Errorf("%d: %d, %v", c.uid, id, known)
		}
	}
}

func TestGroupID(t *testing.T) {
	t.Parallel()
	file := "root:x:0:\n# no:group\n::5:\nmany:x:7:" + strings.Repeat("member,", 20_000) + "\nodd:x:-1:\nmail-tokens:x:990:a,b\n"
	for name, want := range map[string]int{"root": 0, "mail-tokens": 990, "many": 7, "odd": -1, "mail": -1, "a": -1} {
		if gid, ok := groupID(strings.NewReader(file), name); gid != want || ok != (want >= 0) {
			t.Errorf("%q: %d %v", name, gid, ok)
		}
	}
	for name, want := range map[string]int{"root": 0, "4711": 4711, "": -1, "-1": -1, "4294967295": -1, "no such group": -1} {
		if gid, ok := GroupID(name); gid != want || ok != (want >= 0) {
			t.Errorf("%q: %d %v", name, gid, ok)
		}
	}
}
