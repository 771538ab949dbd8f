package deliver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
)

// inTwos is an account whose transactions have two recipients at most.
func inTwos(a *Account) { a.Submit.MaxRecipients = 2 }

// parts returns who got a message of that subject, in order, and fails if a transaction names more than two.
func (r *rig) parts(subject string) (to []string) {
	for _, m := range r.em.Messages() {
		if m.Header("Subject") != subject {
			continue
		}
		if len(m.To) > 2 {
			r.t.Errorf("%d recipients in one transaction", len(m.To))
		}
		to = append(to, m.To...)
	}
	slices.Sort(to)
	return to
}

func manyTo(em *emulator.Emulator, to ...string) *envelope.Envelope {
	env := testEnvelope(em.Mailbox)
	env.Recipients = nil
	for _, a := range to {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a})
	}
	return env
}

// fourGood are the recipients of a message whose first transaction is refused for all, and a later one for one.
var (
	mixedTo = []string{"reject-1@example.com", "reject-2@example.com", "a@example.com", "b@example.com",
		"c@example.com", "reject-3@example.com", "d@example.com"}
	fourGood = []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}
)

// TestPartsFromTheQueue: a message with many recipients is safe before its first transaction, in whatever mode it
// comes, and who is refused is told by mail.
func TestPartsFromTheQueue(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", ModeBackground, ModeQueue} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{account: inTwos})
			env := manyTo(r.em, mixedTo...)
			env.Mode, env.Origin = mode, bounceTo
			receipt, err := r.e.Submit(context.Background(), env, testMessage(r.em.Mailbox, "many"))
			if err != nil || !receipt.Queued || len(receipt.Accepted) != len(mixedTo) || len(r.ids()) != 1 {
				t.Fatalf("%+v, %v, %v", receipt, err, r.ids())
			}
			r.run().untilEmpty()
			if got := r.parts("many"); !slices.Equal(got, fourGood) {
				t.Errorf("it went to %q", got)
			}
			var told strings.Builder
			for _, m := range r.em.Messages() {
				if slices.Contains(m.To, bounceTo) {
					told.Write(m.Data)
				}
			}
			for i := 1; i <= 3; i++ {
				if field := fmt.Sprintf("Final-Recipient: rfc822; reject-%d@example.com",
					i); strings.Count(told.String(), field) != 1 {
					t.Errorf("%s is not reported once:\n%s", field, told.String())
				}
			}
		})
	}
}

// TestPartsWithoutSpool: a process without a spool reports each recipient.
func TestPartsWithoutSpool(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    *emulator.Rule
		to      []string
		got     []string
		refused []string
		whole   bool // an error, as nobody got it
	}{
		"some refused": {nil, mixedTo, fourGood, []string{"reject-1@example.com", "reject-2@example.com",
			"reject-3@example.com"}, false},
		"all refused": {nil, mixedTo[:2], nil, mixedTo[:2], true},
		"three refused": {nil, []string{"reject-1@x.org", "reject-2@x.org", "reject-3@x.org"}, nil,
			[]string{"reject-1@x.org", "reject-2@x.org", "reject-3@x.org"}, true},
		"the second breaks off": {&emulator.Rule{Stage: "dot", After: 1, First: 1, Reply: "451 4.7.0 try again"},
			append(fourGood, "e@example.com"), fourGood[:2], append(fourGood[2:4:4], "e@example.com"), false},
		"the first breaks off": {&emulator.Rule{Stage: "dot", First: 1, Reply: "451 4.7.0 try again"}, fourGood,
			nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{account: inTwos})
			if c.rule != nil {
				r.script(*c.rule)
			}
			d := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account}, Log: r.e.o.Log,
				Alone: &Alone{}})
			receipt, err := d.Submit(context.Background(), manyTo(r.em, c.to...), testMessage(r.em.Mailbox, "many"))
			if (err != nil) != c.whole {
				t.Errorf("error %v", err)
			}
			if got := r.parts("many"); !slices.Equal(got, c.got) ||
				!slices.Equal(slices.Sorted(slices.Values(receipt.Accepted)), c.got) {
				t.Errorf("it went to %q, and the receipt has %q, want %q", got, receipt.Accepted, c.got)
			}
			var refused []string
			for _, f := range receipt.Refused {
				refused = append(refused, f.Address)
			}
			if !slices.Equal(refused, c.refused) {
				t.Errorf("refused: %q, want %q", refused, c.refused)
			}
			for _, a := range c.to {
				if strings.Count(r.log.String(), "to=<"+a+">") != 1 {
					t.Errorf("the log has not one line for %s:\n%s", a, r.log.String())
				}
			}
		})
	}
}

// TestServersOwnLimit: a server that takes fewer recipients than is configured gets them in more transactions, as
// long as each of them serves somebody.
func TestServersOwnLimit(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 2, 3} {
		r := newRig(t, rigOptions{emulator: func(s *emulator.State) { s.Limits.Recipients = 2 },
			account: func(a *Account) { a.Submit.MaxRecipients = most }})
		d := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account}, Log: r.e.o.Log,
			Alone: &Alone{}})
		receipt, err := d.Submit(context.Background(), manyTo(r.em, mixedTo...), testMessage(r.em.Mailbox, "many"))
		if got := r.parts("many"); err != nil || !slices.Equal(got, fourGood) || len(receipt.Accepted) != 4 ||
			len(receipt.Refused) != 3 {
			t.Errorf("at most %d: %v, it went to %q, receipt %+v", most, err, got, receipt)
		}
	}
	r := newRig(t, rigOptions{})
	r.script(emulator.Rule{Stage: "rcpt", Reply: "452 4.5.3 Too many recipients"})
	d := NewEngine(EngineOptions{Config: Config{Account: r.e.config().Account}, Log: r.e.o.Log, Alone: &Alone{}})
	if receipt, err := d.Submit(context.Background(), manyTo(r.em, fourGood...),
		testMessage(r.em.Mailbox, "none")); ExitCode(err) != 75 || len(receipt.Accepted) > 0 {
		t.Errorf("a server without room for anybody: %v, %+v", err, receipt)
	}
}

// TestPartsWithSpool: a process with a spool leaves the message to a run of the queue, and waits for it.
func TestPartsWithSpool(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{account: inTwos})
	d := NewEngine(EngineOptions{
		Config: Config{Account: r.e.config().Account}, Spool: r.sp, Log: r.e.o.Log,
		Alone: &Alone{Run: func() bool { r.run(); return true }},
	})
	receipt, err := d.Submit(context.Background(), manyTo(r.em, mixedTo...), testMessage(r.em.Mailbox, "many"))
	if err != nil || !receipt.Queued || len(receipt.Accepted) != len(mixedTo) {
		t.Fatalf("%+v, %v", receipt, err)
	}
	r.untilEmpty()
	if got := r.parts("many"); !slices.Equal(got, fourGood) {
		t.Errorf("it went to %q", got)
	}
}
