//go:build system

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenGroup: the kernel says who is in agent.token_group. A process with the group as its own or a supplementary
// one gets tokens; its user's name in /etc/group is not enough, nor is the group's number in a user namespace.
func TestTokenGroup(t *testing.T) {
	t.Parallel()
	a, err := startAgentWith(lab.dir(t), lab.program, lab.emulator, "[agent]\ntoken_group = \""+tokenGroup+"\"\n", "")
	must(t, err)
	t.Cleanup(func() { a.daemon.stop() })
	dir := lab.dir(t)
	must(t, os.Symlink(lab.program, filepath.Join(dir, "o365-sendmail")))
	const as = "setpriv --reuid nobody --regid nogroup "
	many := strings.Repeat("7,", 200)
	for how, want := range map[string]int{
		as + "--groups " + tokenGroup:                                      0,
		as + "--groups " + many + tokenGroup:                               0,
		"setpriv --reuid nobody --regid " + tokenGroup + " --clear-groups": 0,
		as + "--clear-groups":                                              77,
		as + "--groups " + many + "8":                                      77,
		as + "--clear-groups unshare -r":                                   77,
	} {
		// The first characters are enough of a token.
		c := newCall(t, a, "", "bash", "-c", "set -o pipefail; "+how+" ./o365-sendmail token --raw | cut -c1-2")
		c.config, c.before, c.dir = "tenant = \"contoso.test\"\n", a.reach(), dir
		got := c.run(t)
		if token := got.stdout == "ey\n"; got.code != want || token != (want == 0) || token != (got.stderr == "") {
			t.Errorf("%s: %s", how, got)
		}
		for _, words := range []string{"may not read", "the group " + tokenGroup, "use sendmail"} {
			if want != 0 && (!strings.Contains(got.stderr, words) || strings.Count(got.stderr, "\n") != 1) {
				t.Errorf("%s: not %q in %q", how, words, got.stderr)
			}
		}
	}
}
