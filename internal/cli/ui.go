package cli

import (
	"fmt"
	"strings"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/sysexits"
)

// What the program prints on standard error: "name: error: ...", "name: warning: ...".
// A message is one line, begins with a small letter and ends without a full stop; what
// a peer or a caller wrote is escaped.

func (e *Env) errorf(name, format string, a ...any) {
	fmt.Fprintf(e.Stderr, "%s: error: %s\n", name, oneLine(fmt.Sprintf(format, a...)))
}

func (e *Env) warnf(name, format string, a ...any) {
	fmt.Fprintf(e.Stderr, "%s: warning: %s\n", name, oneLine(fmt.Sprintf(format, a...)))
}

// fail prints err and returns its exit code.
func (e *Env) fail(name string, err error) int {
	e.errorf(name, "%v", err)
	return deliver.ExitCode(err)
}

// oneLine escapes piece by piece, so that a long message is not cut as a log line is.
func oneLine(s string) string {
	const piece = 256
	var b strings.Builder
	for len(s) > piece {
		cut := piece
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		if cut == 0 {
			cut = piece
		}
		b.WriteString(maillog.Clean(s[:cut]))
		s = s[cut:]
	}
	b.WriteString(maillog.Clean(s))
	return b.String()
}

// worst returns the exit code that stands for several refusals: the first one's, since
// sysexits codes have no order.
func worst(codes ...int) int {
	for _, c := range codes {
		if c != sysexits.OK {
			return c
		}
	}
	return sysexits.OK
}
