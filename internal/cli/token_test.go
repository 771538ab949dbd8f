package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

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
		{"--refresh-if-older", "-1s"}, {"--refresh-if-older", "0"}, {"--refresh", "--refresh-if-older", "5m"}, {"--refresh-if-older", "5"},
	} {
		if r := s.verb("", append([]string{"token"}, args...)...); r.code != sysexits.Usage || r.stdout != "" {
			t.Errorf("%v: exit %d, %q", args, r.code, r.stderr)
		}
	}
}

// withoutRights calls token as a user who may not read the system's configuration, or finds none there.
func withoutRights(socket string, args ...string) result {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args: append([]string{"o365-sendmail", "token"}, args...), Stdin: strings.NewReader(""), Stdout: &out,
		Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now, UID: os.Getuid(), Socket: socket,
	})
	return result{code, out.String(), errs.String()}
}

// TestTokenWithoutRights: who may not read the configuration hears that from the agent, which gives tokens to its
// group. test/system has it with a file and a group of their own.
func TestTokenWithoutRights(t *testing.T) {
	t.Parallel()
	if _, err := os.ReadFile(config.SystemPath); err == nil {
		t.Skip("this user may read " + config.SystemPath)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "submit.sock")
	if r := withoutRights(socket, "--raw"); r.code != sysexits.TempFail || r.stdout != "" ||
		!strings.Contains(r.stderr, "is stopped; start it: ") {
		t.Errorf("no agent: %+v", r)
	}
	if r := withoutRights(filepath.Join(dir, "nowhere", "submit.sock"), "--raw"); r.code == sysexits.TempFail ||
		r.stdout != "" || strings.Contains(r.stderr, "agent,") {
		t.Errorf("no agent on this host: %+v", r)
	}
	l, err := control.Listen(control.SocketPath(socket))
	if err != nil {
		t.Fatal(err)
	}
	member, most := false, time.Duration(0)
	s := control.NewServer(control.NewLocal(nil, control.Hooks{}), nil)
	s.Token = func(_ context.Context, _ int, _ func(int) bool, age time.Duration) (xoauth.Token, error) {
		if most = age; !member {
			return xoauth.Token{}, sysexits.With(sysexits.NoPerm, errors.New("only members get tokens"))
		}
		return xoauth.Token{Access: xoauth.NewSecret("the.token"), Expiry: time.Now().Add(time.Hour)}, nil
	}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	if r := withoutRights(socket, "--raw"); r.code != sysexits.NoPerm || r.stdout != "" ||
		strings.Contains(r.stderr, "no agent") || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, "; only members get tokens; to send mail use sendmail") || most != -1 {
		t.Errorf("%+v, %v", r, most)
	}
	member = true
	if r := withoutRights(socket, "--raw", "--refresh-if-older", "5m"); r != (result{0, "the.token\n", ""}) ||
		most != 5*time.Minute {
		t.Errorf("%+v, %v", r, most)
	}
	if withoutRights(socket, "--raw", "--refresh"); most != 0 {
		t.Errorf("--refresh: %v", most)
	}
	if r := withoutRights(socket, "--raw", "-C", filepath.Join(dir, "none.toml")); r.code != sysexits.Config {
		t.Errorf("with a file of its own: %+v", r)
	}
}
