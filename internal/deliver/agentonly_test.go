package deliver

import (
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

// TestAgentOnly: in a fleet a process without an agent queues, whatever its caller asks for, and a run of the queue sends
// nothing; without a spool the caller keeps the message.
func TestAgentOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: func(a *Account) { a.AgentOnly = true }, engine: func(o *EngineOptions) {
		o.Alone = &Alone{}
	}})
	env := testEnvelope(r.em.Mailbox)
	env.Mode = ModeInteractive
	receipt, err := r.e.Submit(t.Context(), env, testMessage(r.em.Mailbox, "1"))
	if err != nil || !receipt.Queued {
		t.Fatalf("%+v, %v", receipt, err)
	}
	state, err := r.e.RunOnce(t.Context(), Selection{}, nil)
	if err != nil || len(state.Stops) != 1 || !strings.Contains(state.Stops[0].Reason, "only the agent delivers") {
		t.Errorf("%v, %+v", err, state.Stops)
	}
	bare := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account, Wait: time.Second}, Alone: &Alone{}})
	_, err = bare.Submit(t.Context(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "2"))
	if err == nil || ExitCode(err) != sysexits.TempFail || !strings.Contains(err.Error(), "only the agent delivers") {
		t.Errorf("%v", err)
	}
	if n := r.em.Stats().Connections; n != 0 || len(r.ids()) != 1 {
		t.Errorf("%d connections, %d messages in the queue", n, len(r.ids()))
	}
}
