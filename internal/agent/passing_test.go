package agent

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

// TestUnreadableConfiguration: when the disk fails in reading the configuration, the agent
// must not take mail into a spool that the configuration does not name.
func TestUnreadableConfiguration(t *testing.T) {
	t.Parallel()
	err := Run(context.Background(), Options{
		ConfigPath: "/proc/self/mem", // a plain file that can't be read at its start
		HostName:   "web1", Getenv: func(string) string { return "" }, Now: time.Now, Stderr: io.Discard,
		Started: func() { t.Error("it takes connections") },
	})
	if sysexits.Code(err, 0) != sysexits.TempFail || !strings.Contains(err.Error(), "can't be read now") {
		t.Errorf("code %d: %v", sysexits.Code(err, 0), err)
	}
}
