package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

func TestTokenAge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := xoauth.Token{Obtained: now.Add(-10 * time.Minute)}
	for _, c := range []struct {
		age  tokenAge
		want bool
	}{
		{tokenAge{}, false}, {tokenAge{refresh: true}, true},
		{tokenAge{most: 5 * time.Minute}, true}, {tokenAge{most: time.Hour}, false},
	} {
		if got := c.age.tooOld(old, now); got != c.want {
			t.Errorf("%+v: %v", c.age, got)
		}
	}
}

// TestTokenRefreshIfOlder: a refused token is replaced by its consumer's next call, and a young one is kept.
func TestTokenRefreshIfOlder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.verb("", "token", "--raw").stdout
	if again := s.verb("", "token", "--raw", "--refresh-if-older", "1h"); again.stdout != first || again.stderr != "" {
		t.Errorf("a young token is not kept: exit %d, %q", again.code, again.stderr)
	}
	if again := s.verb("", "token", "--raw", "--refresh-if-older", "1ns"); again.code != 0 ||
		again.stdout == first || s.TokenRequests() != 2 {
		t.Errorf("an old token is kept: exit %d, %q, %d requests", again.code, again.stderr, s.TokenRequests())
	}
	for _, args := range [][]string{
		{"--refresh-if-older", "-1s"}, {"--refresh", "--refresh-if-older", "5m"}, {"--refresh-if-older", "5"},
	} {
		if r := s.verb("", append([]string{"token"}, args...)...); r.code != sysexits.Usage || r.stdout != "" {
			t.Errorf("%v: exit %d, %q", args, r.code, r.stderr)
		}
	}
}

// TestTokenWithoutRights: who may not read the configuration hears that, and never that no agent answers.
func TestTokenWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read everything: test/system has it with another user")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, nil, 0); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "submit.sock")
	ask := func() result {
		var out, errs bytes.Buffer
		code := Main(context.Background(), Env{
			Args: []string{"o365-sendmail", "token", "--raw", "-C", config}, Stdin: strings.NewReader(""),
			Stdout: &out, Stderr: &errs,
			Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: socket,
		})
		return result{code, out.String(), errs.String()}
	}
	for _, answers := range []bool{false, true} {
		if answers {
			l, err := net.Listen("unix", control.SocketPath(socket))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		r := ask()
		if r.code != sysexits.NoPerm || r.stdout != "" || strings.Contains(r.stderr, "no agent") ||
			strings.Count(r.stderr, "\n") != 1 ||
			!strings.Contains(r.stderr, "only who may read it gets tokens") ||
			strings.Contains(r.stderr, "use sendmail") != answers {
			t.Errorf("agent %v: %+v", answers, r)
		}
	}
}
