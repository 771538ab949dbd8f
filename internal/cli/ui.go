package cli

import (
	"fmt"
	"strings"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
)

func (e *Env) errorf(name, format string, a ...any) {
	route.Errorf(e.Stderr, name, "%s", host.Hint(fmt.Sprintf(format, a...), e.UID))
}

func (e *Env) warnf(name, format string, a ...any) {
	route.Warnf(e.Stderr, name, format, a...)
}

// fail prints err and returns its exit code.
func (e *Env) fail(name string, err error) int {
	e.errorf(name, "%s", strings.ReplaceAll(err.Error(), "\n", "; ")) // as errors.Join puts it
	return deliver.ExitCode(err)
}
