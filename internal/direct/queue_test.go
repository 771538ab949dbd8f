package direct

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// TestNoQueueWay: mailq, queue, log, stats and sendmail -q of a user who has the agent only say how to start it, with
// the exit code of what passes.
func TestNoQueueWay(t *testing.T) {
	t.Parallel()
	here := filepath.Join(t.TempDir(), "submit.sock")
	absent, denied := errors.New("no agent answers"), sysexits.With(sysexits.NoPerm, errors.New("may not read"))
	for _, tt := range []struct {
		socket string
		named  bool
		err    error
		code   int
	}{
		{here, false, denied, sysexits.TempFail},
		{here, true, denied, sysexits.NoPerm},
		{filepath.Join(here, "none", "submit.sock"), false, denied, sysexits.NoPerm},
		{here, false, sysexits.With(sysexits.Config, errors.New("no such file")), sysexits.Config},
	} {
		err := noQueueWay(absent, tt.err, tt.socket, tt.named)
		if code := sysexits.Code(err, 0); code != tt.code || !errors.Is(err, absent) ||
			strings.Contains(err.Error(), "start it: "+host.StartAgent) != (code == sysexits.TempFail) {
			t.Errorf("%+v: %d, %v", tt, code, err)
		}
	}
}
