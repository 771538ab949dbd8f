package control

import (
	"context"
	"errors"
	"os"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// TestReload: root and the service user have the configuration read again, and hear what is wrong with it.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fault := error(nil)
	r.local.hooks.Reload = func(context.Context) (string, error) { return "/etc/x.toml", fault }
	all := r.local.As(Viewer{UID: os.Getuid(), All: true})
	if path, err := all.Reload(t.Context()); path != "/etc/x.toml" || err != nil {
		t.Errorf("%q %v", path, err)
	}
	if _, err := r.local.As(Viewer{UID: 4711}).Reload(t.Context()); sysexits.Code(err, 0) != sysexits.NoPerm {
		t.Errorf("%v", err)
	}
	fault = sysexits.With(sysexits.Config, errors.New("broken"))
	if _, err := all.Reload(t.Context()); !errors.Is(err, fault) {
		t.Errorf("%v", err)
	}
	r.local.hooks.Reload = nil
	if _, err := r.local.Reload(t.Context()); sysexits.Code(err, 0) != sysexits.NoInput {
		t.Errorf("%v", err)
	}
}
