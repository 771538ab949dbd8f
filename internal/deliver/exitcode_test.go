package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	permanent := func(code int, enhanced string) error {
		return &submit.Error{Class: diagnose.Permanent, Code: code, Enhanced: enhanced}
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{sysexits.With(sysexits.Config, errors.New("x")), sysexits.Config},
		{sysexits.With(sysexits.Config, &fs.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}), sysexits.TempFail},
		{permanent(550, "5.1.1"), sysexits.NoUser},
		{permanent(550, "5.1.2"), sysexits.NoHost},
		{permanent(552, ""), sysexits.DataErr},
		{permanent(554, "5.7.1"), sysexits.Unavailable},
		{&submit.Error{Class: diagnose.Permanent, Err: &submit.TooLargeError{Size: 2, Limit: 1}}, sysexits.DataErr},
		{&submit.Error{Class: diagnose.Configuration}, sysexits.Config},
		{&submit.Error{Class: diagnose.AccountTemporary}, sysexits.TempFail},
		{&LimitError{}, sysexits.TempFail},
		{fmt.Errorf("x: %w", &net.DNSError{IsNotFound: true}), sysexits.TempFail},
		{errors.New("what nobody thought of"), sysexits.TempFail},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v (%T): %d, want %d", c.err, c.err, got, c.want)
		}
	}
}
