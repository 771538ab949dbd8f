package route

import (
	"errors"

	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/sysexits"
)

// Bounds of a reply: a line holds a reason, in bytes, and there is one for each refused recipient.
const (
	maxReplyLine  = 8 << 10
	maxReplyLines = 100000
)

// reply reads one.
func (c *Conn) reply() (smtpreply.Reply, error) {
	var trace func(string)
	if c.o.Trace != nil {
		trace = func(line string) { c.trace('<', line) }
	}
	return smtpreply.Read(c.r, maxReplyLines, trace)
}

// refusal is what a negative reply says to the caller.
func refusal(r smtpreply.Reply) error {
	return sysexits.With(smtpreply.ExitCode(r.Code, r.Enhanced), errors.New(r.Text()))
}
