package agent

import (
	"os"
	"strings"
	"testing"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/sysexits"
)

// TestReloadOnRequest: who asks waits until the file is in force, or hears why the one before stays.
func TestReloadOnRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	q, err := control.Connect(t.Context(), control.SocketPath(s.socket))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	before := s.agent.rules.Load().read
	s.write(string(text) + "\n[from]\ndomain = \"shop.example\"\n")
	path, err := q.Reload(t.Context())
	if now := s.agent.rules.Load(); err != nil || path != s.config || now.config.From.Domain != "shop.example" ||
		!now.read.After(before) {
		t.Errorf("%q %v: %+v", path, err, now.config.From)
	}
	st, err := q.Status(t.Context())
	if err != nil || st.Config != s.config || !st.ConfigRead.Equal(s.agent.rules.Load().read) {
		t.Errorf("%v: %s %v", err, st.Config, st.ConfigRead)
	}
	s.write("tenant = 1\n")
	if _, err = q.Reload(t.Context()); sysexits.Code(err, 0) != sysexits.Config ||
		!strings.Contains(err.Error(), "tenant") {
		t.Errorf("%v", err)
	}
	if s.agent.rules.Load().config.From.Domain != "shop.example" {
		t.Error("the broken one is in force")
	}
}
