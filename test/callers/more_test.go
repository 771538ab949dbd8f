//go:build callers

package callers

import (
	"os"
	"strings"
	"testing"
)

// morePackages are the callers of the scripts in more/.
const morePackages = "calendar task-spooler mpack biabam swatch mercurial neomutt maildrop vacation rmail procmail " +
	"mime-construct sudo " +
	"popularity-contest nmh libmailtools-perl libmime-tools-perl libmail-transport-perl libmail-box-perl php-cli " +
	"php-mbstring php-pear php-mail php-horde-mail " +
	"reportbug python3 apt-listchanges devscripts rss2email logcheck dovecot-core dovecot-sieve mailutils emacs-nox"

// TestMore runs each script of more/ with the stand-in and with the program.
func TestMore(t *testing.T) {
	root := debian(t, "more", strings.Fields(morePackages)...)
	all := scenarios(t, "more")
	rows := make([]string, len(all))
	t.Run("callers", func(t *testing.T) {
		for i, s := range all {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				rows[i] = s.check(t, root)
			})
		}
	})
	if t.Failed() {
		return
	}
	notes, err := os.ReadFile("more/notes.md")
	must(t, err)
	comparePage(t, "callers-more.md", morePage+strings.Join(rows, "")+"\n"+string(notes))
}

const morePage = "# More callers\n\n" +
	"`make callers-more` runs each program below as Debian 12 packages it, in fresh systems of its own: once with a " +
	"stand-in for\nsendmail that only records, once with this program behind it that delivers by itself, and once " +
	"with this program and an\nagent, which alone can read the configuration. Each time the caller has to do the " +
	"same and to end the same, each message\nhas to arrive once, for the recipients named, and Python's `email` " +
	"package compares what the caller wrote with what arrived\n(`test/corpora/judge.py`). This page is written by " +
	"it. Versions may differ. Long numbers in a call are N.\n\n" +
	"*exit* is with what the caller ends when sendmail ends with 75 and has kept nothing: one that ends with 0 goes " +
	"on as if the\n" +
	"message had left. With the agent running, what can not be delivered at once is kept, and the exit code is 0.\n\n" +
	"| caller | package | calls | recipients | exit | to know |\n|---|---|---|---|---|---|\n"
