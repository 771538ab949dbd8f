//go:build system

package system

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// inProcess starts an emulator in the test, for what only its counters show.
// It has no limit of messages per minute: a test of minutes would be needed.
func inProcess(t *testing.T) (e *emulator.Emulator, config string, cache string) {
	t.Helper()
	dir := lab.dir(t)
	e = emulator.New(t, func(o *emulator.Options) {
		o.Dir = filepath.Join(dir, "messages")
		o.State = func(s *emulator.State) { s.Limits.PerMinute = 0 }
	})
	lab.keepSecret(e.ClientSecret)
	t.Cleanup(func() { lab.collect(t, e.Transcript()) })
	cache = filepath.Join(dir, "cache")
	_, port := e.SMTPAddr()
	settings := settings{tenant: e.Tenant, clientID: e.ClientID, secret: e.ClientSecret, mailbox: e.Mailbox,
		port: port, tokenURL: e.TokenURL(), caFile: e.CAFile()}
	config = filepath.Join(dir, "o365-sendmail.toml")
	if err := os.WriteFile(config, []byte(settings.toml(cache)+"\n[delivery]\nmessages_per_minute = 100000\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	return e, config, cache
}

// TestBurst: 200 processes at once with a cold cache make one token request,
// keep to three connections, and deliver 200 messages.
func TestBurst(t *testing.T) {
	const processes = 200
	e, config, _ := inProcess(t)
	marker := newMarker("burst")
	var wg sync.WaitGroup
	outputs := make([]string, processes)
	started := time.Now()
	for i := range processes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/usr/sbin/sendmail", "-t", "-i")
			cmd.Env = []string{"O365_SENDMAIL_CONFIG=" + config, "HOME=/", "PATH=/usr/bin:/bin"}
			cmd.Stdin = strings.NewReader(simple(fmt.Sprintf("%s-%03d.", marker, i)))
			out, err := cmd.CombinedOutput()
			if err != nil || len(out) > 0 {
				outputs[i] = fmt.Sprintf("process %d: %v: %s", i, err, out)
			}
		})
	}
	wg.Wait()
	t.Logf("%d processes took %v", processes, time.Since(started).Round(time.Millisecond))
	shown := 0
	for _, o := range outputs {
		if o != "" && shown < 5 {
			t.Error(o)
			shown++
		}
	}
	lab.collect(t, strings.Join(outputs, "\n"))
	stats := e.Stats()
	if stats.TokenRequests != 1 {
		t.Errorf("%d token requests, want 1", stats.TokenRequests)
	}
	if stats.MaxConcurrent > 3 {
		t.Errorf("%d connections at once, want at most 3", stats.MaxConcurrent)
	}
	if len(stats.Refused) > 0 {
		t.Errorf("replies of refusal: %v", stats.Refused)
	}
	messages := e.Messages()
	if len(messages) != processes {
		t.Errorf("%d messages delivered, want %d", len(messages), processes)
	}
	wrong := 0
	for i := range processes {
		text, copies := fmt.Sprintf("%s-%03d.", marker, i), 0
		for _, m := range messages {
			if bytes.Contains(m.Data, []byte(text)) {
				copies++
			}
		}
		if copies != 1 {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of the messages were not delivered exactly once", wrong)
	}
}
