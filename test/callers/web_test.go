//go:build callers

package callers

import (
	"strings"
	"testing"
)

// webPackages are the applications of the scripts in web/ and what runs them.
const webPackages = "dokuwiki wordpress mediawiki roundcube-core roundcube-sqlite3 redmine redmine-sqlite puma " +
	"mariadb-server php-fpm php-cli php-mysql php-sqlite3 libfcgi-bin dovecot-imapd curl"

// TestWeb runs each script of web/ with the stand-in and with the program; sendmail has to have been called from where
// privileges can't be gained and /tmp is private.
func TestWeb(t *testing.T) {
	root := debian(t, "web", strings.Fields(webPackages)...)
	all := scenarios(t, "web")
	rows := make([]string, len(all))
	t.Run("callers", func(t *testing.T) {
		for i, s := range all {
			s.where = "NoNewPrivs:1\nTmp:private\n"
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				rows[i] = s.check(t, root)
			})
		}
	})
	if t.Failed() {
		return
	}
	comparePage(t, "callers-web.md", webPage+strings.Join(rows, ""))
}

const webPage = "# Web applications\n\n" +
	"`make callers-web` sets up each application below as Debian 12 packages it, with its database, in fresh systems " +
	"of its own, and\nhas it send mail by a page of its own. PHP-FPM or Puma runs as systemd runs it with " +
	"`NoNewPrivileges=yes` and\n`PrivateTmp=yes`. Once a stand-in for sendmail records what the application writes, " +
	"once this program is behind it and delivers\nby itself, and once an agent does, which alone can read the " +
	"configuration. Each time the application has to do the same,\neach message has to arrive once, and Python's " +
	"`email` package compares what was written with what arrived\n(`test/corpora/judge.py`). This page is written by " +
	"it. Versions may differ. Long numbers in a call are N.\n\n" +
	"*exit* is 1 if the page says that nothing was sent when sendmail ends with 75, or nobody listens, else 0.\n\n" +
	"| application | package | calls | recipients | exit | how |\n|---|---|---|---|---|---|\n"
