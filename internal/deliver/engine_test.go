package deliver

import (
	"context"
	"fmt"
	"testing"
)

func TestDeliversWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for i := range 20 {
		r.put(1000+i%3, i)
	}
	r.run().untilEmpty()
	got := r.subjects()
	for i := range 20 {
		if s := fmt.Sprintf("%d-%d", 1000+i%3, i); got[s] != 1 {
			t.Errorf("%s arrived %d times", s, got[s])
		}
	}
	if n := r.em.MaxConcurrent(); n > 3 {
		t.Errorf("%d connections at once", n)
	}
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{}).run()
	for i := range 5 {
		receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
			testMessage(r.em.Mailbox, fmt.Sprint(i)))
		if err != nil || receipt.Queued || len(receipt.Accepted) != 1 || receipt.Reply == "" {
			t.Fatalf("%+v, %v", receipt, err)
		}
	}
	if n := r.em.Stats().Connections; n != 1 {
		t.Errorf("%d connections for messages one after the other", n)
	}
	if ids := r.ids(); len(ids) != 0 {
		t.Errorf("left in the spool: %v", ids)
	}
}
