package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
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

// asRoot adds what somebody does who may not read the configuration.
func asRoot(err error, verb string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return sysexits.With(sysexits.Code(err, sysexits.NoPerm), fmt.Errorf("%w; run: sudo o365-sendmail %s", err, verb))
}
