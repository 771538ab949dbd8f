package notify

import (
	"errors"
	"strings"
	"testing"
)

func TestWhoGetsReports(t *testing.T) {
	t.Parallel()
	resolve := func(addr string) ([]string, error) {
		switch addr {
		case "root@web1":
			return []string{"it@contoso.test"}, nil
		case "www-data@web1":
			return nil, errors.New("unknown")
		}
		return []string{addr}, nil
	}
	full := Config{BounceTo: "bounces@contoso.test", RootTo: "root@contoso.test", Resolve: resolve}
	for _, c := range []struct {
		config Config
		origin string
		want   string
	}{
		{full, "", ""},
		{full, "ada@contoso.test", "ada@contoso.test"},
		{full, "root@web1", "it@contoso.test"},
		{full, "www-data@web1", "bounces@contoso.test"},
		{full, "x@host.local", "bounces@contoso.test"},
		{full, "x@host", "bounces@contoso.test"},
		{full, "@", "bounces@contoso.test"},
		{Config{RootTo: "root@contoso.test"}, "x@host", "root@contoso.test"},
		{Config{}, "x@host", ""},
		{Config{}, "x@[192.0.2.1]", "x@[192.0.2.1]"},
	} {
		if got := strings.Join(c.config.targets(c.origin), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.origin, got, c.want)
		}
	}
}
