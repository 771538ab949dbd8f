package deliver

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

// recorded keeps the lines of a log.
type recorded struct{ lines []string }

func (r *recorded) Log(_ maillog.Priority, id string, fields ...any) {
	line := id + ":"
	for i := 0; i < len(fields); i += 2 {
		line += fmt.Sprintf(" %v=%v", fields[i], fields[i+1])
	}
	r.lines = append(r.lines, line)
}

// TestOutcome: answer, states, log and counters of one outcome say the same.
func TestOutcome(t *testing.T) {
	t.Parallel()
	server := func(code int, enh string, class diagnose.Class) *submit.Error {
		return &submit.Error{Phase: submit.PhaseRcpt, Code: code, Enhanced: enh, Class: class}
	}
	unknown, later := server(550, "5.1.10", diagnose.Permanent), server(451, "4.7.1", diagnose.Temporary)
	dial := &submit.Error{Phase: submit.PhaseConnect, Class: diagnose.Temporary}
	full := sysexits.With(sysexits.TempFail, errors.New("the disk is full"))
	to := []envelope.Recipient{{Address: "a@x"}, {Address: "b@x"}, {Address: "c@x"}}
	result := func(errs ...*submit.Error) *Outcome {
		res := &submit.Result{Recipients: make([]submit.RecipientResult, len(errs))}
		for i, e := range errs {
			res.Recipients[i] = submit.RecipientResult{Address: to[i].Address, Err: e}
		}
		return judge(len(res.Recipients), res, nil)
	}
	for name, c := range map[string]struct {
		outcome  *Outcome
		change   func(o *Outcome)
		words    string // of each recipient: word, dsn, relay
		accepted int
		refused  int
		queued   bool
		err      error
		states   map[int]spool.State
		counters Counters
	}{
		"a caller waits": {result(nil, unknown, later), nil,
			"sent 2.0.0 relay, refused 5.1.10 relay, deferred 4.7.1 relay", 2, 1, true, nil,
			map[int]spool.State{0: spool.Done, 1: spool.Done}, Counters{Sent: 1, Refused: 1, Deferred: 1}},
		"the sender was told": {result(nil, unknown, later), func(o *Outcome) { o.told = toldByMail },
			"sent 2.0.0 relay, bounced 5.1.10 relay, deferred 4.7.1 relay", 2, 1, true, nil,
			map[int]spool.State{0: spool.Done, 1: spool.Failed}, Counters{Sent: 1, Bounced: 1, Deferred: 1}},
		"nobody was told": {result(unknown, unknown), func(o *Outcome) { o.told = toldNobody },
			"failed 5.1.10 relay, failed 5.1.10 relay", 0, 2, false, unknown,
			map[int]spool.State{0: spool.Failed, 1: spool.Failed}, Counters{Bounced: 2}},
		"it is too old": {result(later), func(o *Outcome) {
			o.told, o.expired = toldByMail, true
			o.refuseLater(func(err error) error { return &notify.ExpiredError{Age: 48 * time.Hour, Err: err} })
		}, "expired 4.7.1 relay", 0, 1, false, later, map[int]spool.State{0: spool.Failed}, Counters{Expired: 1}},
		"an administrator has to act": {untried(2, dial), func(o *Outcome) { o.stop = &queue.Fault{Hold: true} },
			"held 4.0.0 none, held 4.0.0 none", 2, 0, true, nil, nil, Counters{Deferred: 2}},
		"nothing can be kept": {result(nil, unknown, later), func(o *Outcome) { o.giveBack(nil) },
			"sent 2.0.0 relay, refused 5.1.10 relay, refused 4.7.1 relay", 1, 2, false, nil,
			map[int]spool.State{0: spool.Done, 1: spool.Done, 2: spool.Done}, Counters{Sent: 1, Refused: 2}},
		"the queue is full": {result(unknown, later), func(o *Outcome) { o.giveBack(full) },
			"refused 5.1.10 relay, refused 4.0.0 none", 0, 2, false, full,
			map[int]spool.State{0: spool.Done, 1: spool.Done}, Counters{Refused: 2}},
		"all of it goes back": {untried(3, dial), func(o *Outcome) { o.giveBack(nil) },
			"refused 4.0.0 none, refused 4.0.0 none, refused 4.0.0 none", 0, 0, false, dial,
			map[int]spool.State{0: spool.Done, 1: spool.Done, 2: spool.Done}, Counters{Refused: 3}},
		"the rest goes at once": {result(nil, later), func(o *Outcome) { o.again = true },
			"sent 2.0.0 relay", 2, 0, true, nil, map[int]spool.State{0: spool.Done}, Counters{Sent: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := c.outcome
			if c.change != nil {
				c.change(o)
			}
			r, err := o.receipt(to)
			if len(r.Accepted) != c.accepted || len(r.Refused) != c.refused || r.Queued != c.queued ||
				!errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("receipt %+v, %v", r, err)
			}
			states := map[int]spool.State{}
			for i, s := range o.states(all(len(o.fate))) {
				states[i] = s.State
			}
			if !maps.Equal(states, c.states) {
				t.Errorf("states %v, want %v", states, c.states)
			}
			var log recorded
			o.log(&log, "ID", to, "relay", time.Second)
			var words []string
			for k, line := range log.lines {
				var addr, by, delay, dsn, word string
				_, err := fmt.Sscanf(line, "ID: to=%s relay=%s delay=%s dsn=%s status=%s", &addr, &by, &delay,
					&dsn, &word)
				if err != nil || addr != "<"+to[k].Address+">" {
					t.Errorf("%q: %v", line, err)
				}
				words = append(words, word+" "+dsn+" "+by)
			}
			if got := strings.Join(words, ", "); got != c.words {
				t.Errorf("log %q, want %q", got, c.words)
			}
			var counters Counters
			if o.count(&counters); counters != c.counters {
				t.Errorf("counters %+v, want %+v", counters, c.counters)
			}
		})
	}
}
