package cli

import (
	"fmt"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/front"
	"o365-sendmail/internal/host"
)

func (e *Env) errorf(name, format string, a ...any) {
	front.Errorf(e.Stderr, name, "%s", host.Hint(fmt.Sprintf(format, a...), e.UID))
}

func (e *Env) warnf(name, format string, a ...any) {
	front.Warnf(e.Stderr, name, format, a...)
}

// fail prints err and returns its exit code.
func (e *Env) fail(name string, err error) int {
	e.errorf(name, "%v", err)
	return deliver.ExitCode(err)
}
