package host

import (
	"bufio"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hosts, want string }{
		{"127.0.0.1 localhost\n127.0.1.1 web1.example.org web1\n", "web1.example.org"},
		{"127.0.1.1\tweb1\tWeb1.Example.org # web1.example.net\n", "web1.example.org"},
		{"# 127.0.1.1 web1.example.org web1\n", ""},
		{"127.0.0.1 localhost.localdomain web1\n", ""},
		{"192.0.2.1 web1\n192.0.2.1 web1.example.org web1\n", "web1.example.org"},
		{"192.0.2.1 other.example.org\n", ""},
		{"192.0.2.1 a..b web1\n", ""},
		{"", ""},
	} {
		if got := canonical(bufio.NewScanner(strings.NewReader(c.hosts)), "web1"); got != c.want {
			t.Errorf("%q: %q, want %q", c.hosts, got, c.want)
		}
	}
	if got := FullName("web1.example.org"); got != "web1.example.org" {
		t.Errorf("a full name became %q", got)
	}
}
