package agent

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

// TestTokens: members of agent.token_group get tokens, others hear why they don't, and who asks for new ones again
// and again gets the same one.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, "token_group = \"4711\"\n")
	s.start()
	member := func(gid int) bool { return gid == 4711 }
	first, err := s.agent.token(t.Context(), 1000, member, -1)
	if err != nil || first.Access.Empty() {
		t.Fatal(err)
	}
	if again, err := s.agent.token(t.Context(), 1000, member, 0); err != nil || again.Access != first.Access || s.TokenRequests() != 1 {
		t.Errorf("%v, %d requests", err, s.TokenRequests())
	}
	log := s.log()
	if !strings.Contains(log, "userid 1000 ") || !strings.Contains(log, "got an access token") ||
		strings.Contains(log, first.Access.Reveal()) {
		t.Errorf("%s", log)
	}
	refused := func(what string, may func(int) bool, words ...string) {
		t.Helper()
		_, err := s.agent.token(t.Context(), 1000, may, -1)
		for _, w := range words {
			if sysexits.Code(err, 0) != sysexits.NoPerm || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	nobody := func(int) bool { return false }
	refused("no member", nobody, "the group 4711 (agent.token_group)", "log in again")
	reload := func(extra string) {
		t.Helper()
		before := s.agent.rules.Load()
		s.write(s.toml(extra))
		s.reload <- os.Interrupt
		s.until("reload", func() bool { return s.agent.rules.Load() != before })
	}
	reload("")
	refused("no group", member, "only who may read it gets tokens", "agent.token_group can name")
	reload("token_group = \"no such group\"\n")
	refused("unknown group", func(gid int) bool { return gid >= 0 }, "no such group")
	if log := s.log(); !strings.Contains(log, `/etc/group has no group "no such group"`) {
		t.Error(log)
	}
	reload("token_group = \"" + strconv.Itoa(os.Getgid()) + "\"\n")
	if _, err := s.agent.token(t.Context(), 1000, func(gid int) bool { return gid == os.Getgid() },
		time.Hour); err != nil {
		t.Error(err)
	}
}
