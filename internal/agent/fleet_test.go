package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// lateMember knows of a fault only when somebody has asked what a mailbox has used.
type lateMember struct {
	quota.Member
	faults []error
}

func (*lateMember) Centre(context.Context) (quota.Centre, error)    { return quota.Centre{}, nil }
func (m *lateMember) Faults() []error                               { return m.faults }
func (*lateMember) Peers() ([]quota.Peer, map[string]time.Duration) { return nil, nil }
func (*lateMember) Held() []quota.Held                              { return nil }
func (m *lateMember) Used(context.Context, string) (int, int, error) {
	m.faults = []error{errors.New("limits differ"), errors.New("a name twice")}
	return 1, 2, nil
}

// TestFleetViewHasAllFaults: also those that the first look at the fleet's limits finds.
func TestFleetViewHasAllFaults(t *testing.T) {
	t.Parallel()
	a := newAgent(Options{Getenv: func(string) string { return "" }})
	a.rules.Store(&rules{config: &config.Config{Mailbox: "a@example.org"}, member: &lateMember{}})
	f, err := a.fleetView(t.Context(), false)
	if err != nil || !slices.Equal(f.Faults, []string{"a name twice", "limits differ"}) {
		t.Errorf("%q, %v", f.Faults, err)
	}
}

// TestFleetThatCantBeJoined: the reason is that of the configuration, not that it names no fleet.
func TestFleetThatCantBeJoined(t *testing.T) {
	t.Parallel()
	a := newAgent(Options{Getenv: func(string) string { return "" }})
	r := &rules{config: &config.Config{}}
	a.rules.Store(r)
	if _, err := a.fleetView(t.Context(), false); err != errNoFleet {
		t.Error(err)
	}
	r.config.Fleet.Servers, r.fault = []string{"tls://n1:4222"}, errors.New("fleet.nkey_file: is empty")
	_, err := a.fleetView(t.Context(), false)
	asked := a.askHost(t.Context(), "h2", nil, nil)
	for _, err := range []error{err, asked} {
		if sysexits.Code(err, 0) != sysexits.Config || !strings.Contains(err.Error(), "fleet: fleet.nkey_file: is empty") {
			t.Error(err)
		}
	}
}
