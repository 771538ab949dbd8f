package deliver

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// holdTokens lets others fetch the token and never come back: the first and the one who takes over.
func (r *rig) holdTokens() {
	a := r.e.config().Account
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	for range 2 {
		other := cache.New(cache.Options{Dir: filepath.Join(r.dir, "cache"), LockWait: time.Millisecond})
		begun := make(chan struct{})
		go func() {
			_, _ = other.Token(ctx, a.Key, func(ctx context.Context) (xoauth.Token, error) {
				close(begun)
				<-ctx.Done()
				return xoauth.Token{}, ctx.Err()
			})
		}()
		<-begun
	}
}

// TestTokenWaitIsBounded: whoever waits for a token that another process fetches waits no longer than
// for anything else.
func TestTokenWaitIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 300 * time.Millisecond
	for _, spooled := range []bool{true, false} {
		for _, pipeline := range []bool{true, false} {
			r := newRig(t, rigOptions{})
			r.holdTokens()
			a := r.e.config().Account
			a.PipelineAuth, a.TokenTimeout = pipeline, bound
			o := EngineOptions{Config: Config{Account: a, Wait: bound}, Log: r.e.o.Log, Alone: &Alone{}}
			if spooled {
				o.Spool, a.TokenTimeout = r.sp, time.Hour
			}
			d := NewEngine(o)
			start := time.Now()
			receipt, err := d.Submit(t.Context(), testEnvelope(r.em.Mailbox), testMessage(r.em.Mailbox, "x"))
			if took := time.Since(start); took < bound || took > 5*time.Second {
				t.Errorf("spooled %v, pipelined %v: it took %v", spooled, pipeline, took)
			}
			switch {
			case spooled && (err != nil || !receipt.Queued):
				t.Errorf("pipelined %v: %+v, %v", pipeline, receipt, err)
			case !spooled && (ExitCode(err) != sysexits.TempFail || !strings.Contains(err.Error(), "access token")):
				t.Errorf("pipelined %v: exit code %d, %v", pipeline, ExitCode(err), err)
			}
		}
	}
}
