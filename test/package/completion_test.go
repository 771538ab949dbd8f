//go:build package

package pkgtest

import (
	"strings"
	"testing"
)

// A person presses Tab in bash, zsh and fish as Debian has them: commands, flags, ids of the
// queue and keys of the configuration are completed by what the package has installed.
func TestCompletion(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.install("bash-completion zsh fish /tmp/o365-sendmail.deb")
		c.startAgent()
		if r := c.as("root", "echo x | sendmail -i someone@example.org"); r.code != 0 {
			c.t.Fatalf("sendmail: exit %d", r.code)
		}
		id := strings.TrimSpace(c.must(`o365-sendmail queue --json | sed -n 's/^{"id":"\([^"]*\)".*/\1/p'`))
		if id == "" || strings.Contains(id, "\n") {
			c.t.Fatalf("ids in the queue: %q", id)
		}
		// What is typed before Tab, and what the line is then.
		lines := [][2]string{
			{"o365-sendmail doc", "o365-sendmail doctor "},
			{"o365-sendmail queue fl", "o365-sendmail queue flush "},
			{"o365-sendmail setup --client-id x --no-d", "o365-sendmail setup --client-id x --no-doctor "},
			{"o365-sendmail queue show " + id[:6], "o365-sendmail queue show " + id + " "},
			{"o365-sendmail queue --he", "o365-sendmail queue --he"}, // --held, --headers, --help
			{"o365-sendmail setup --set from.pol", "o365-sendmail setup --set from.policy="},
			{"o365-sendmail setup --set from.policy=rew", "o365-sendmail setup --set from.policy=rewrite "},
			{"o365-sendmail explain mailbox-per", "o365-sendmail explain mailbox-permission "},
			{"o365-sendmail doctor -C /etc/debian_ver", "o365-sendmail doctor -C /etc/debian_version "},
			{"o365-sendmail config check --json -C /etc/adduse",
				"o365-sendmail config check --json -C /etc/adduser.conf "},
		}
		c.tab("bash", "PS1='ready> ' exec bash --norc -i", ". /usr/share/bash-completion/bash_completion",
			`bind -x '"\C-t": printf "\133\133%s\135\135" "$READLINE_LINE"'`, lines)
		// Without the package's file, as o365-sendmail(8) prints it.
		c.tab("bash", "PS1='ready> ' exec bash --norc -i", "source <(o365-sendmail completion bash)",
			`bind -x '"\C-t": printf "\133\133%s\135\135" "$READLINE_LINE"'`, lines[:4])
		c.tab("zsh", "PS1='ready> ' exec zsh -f -i", "autoload -Uz compinit && compinit -u -D",
			`show() { printf '\133\133%s\135\135' "$BUFFER"; }; zle -N show; bindkey '^T' show`, lines)
		for _, line := range lines {
			typed, want := line[0], line[1]
			// fish says what it would offer for the last word.
			out := c.must("fish -c " + quote("complete -C "+quote(typed)))
			_, word, _ := cutLast(strings.TrimSuffix(want, " "), " ")
			if want == typed {
				word = "--held"
			}
			offered := false
			for line := range strings.Lines(out) {
				first, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				offered = offered || first == word
			}
			if !offered {
				c.t.Errorf("fish offers for %q: %q, want %q", typed, out, word)
			}
		}
		c.stopAgent()
	})
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:], i >= 0
}

// tab types each line and Tab in a shell at a terminal, and looks at what the line is then: the
// shell prints it at Ctrl-T, as bind says.
func (c *chroot) tab(shell, command, load, bind string, lines [][2]string) {
	c.t.Helper()
	steps := []step{{"ready> ", load + "\n"}, {"ready> ", bind + "\n"}, {"ready> ", ""}}
	for _, line := range lines {
		steps = append(steps, step{"", "\x15" + line[0] + "\t\x14"}, step{"]]", ""})
	}
	shown := c.dialogue("teletype", command, append(steps, step{"", "\x15exit 0\n"})...)
	for _, line := range lines {
		_, rest, _ := strings.Cut(shown, "[[")
		var got string
		if got, shown, _ = strings.Cut(rest, "]]"); got != line[1] {
			c.t.Errorf("%s: %q becomes %q, want %q", shell, line[0], got, line[1])
		}
	}
}
