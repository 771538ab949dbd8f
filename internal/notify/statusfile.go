package notify

import (
	"strings"

	"o365-sendmail/internal/durable"
)

// showStatus writes the status file when it has changed: a line for each condition in force. All may read it.
func (n *Notifier) showStatus(in []Condition) {
	path := n.config.Load().StatusFile
	var b strings.Builder
	for i := range in {
		if c := &in[i]; c.Critical() {
			b.WriteString("critical: " + c.Line(n.o.Now()) + "\n")
		} else {
			b.WriteString("warning: " + c.Line(n.o.Now()) + "\n")
		}
	}
	written := path + "\n" + b.String()
	if path == "" || written == n.written {
		return
	}
	err := durable.Replaceable(path)
	if err == nil {
		err = durable.ReplaceNoSync(path, []byte(b.String()), 0o644)
	}
	n.complain("status", "the status file can't be written, it is tried again", err)
	if err == nil {
		n.written = written
	}
}
