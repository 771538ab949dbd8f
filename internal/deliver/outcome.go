package deliver

import (
	"errors"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

// Outcome is what one try means for a message: what a server, the queue or a fault made of each
// recipient. Receipts, states in the spool, lines of the log, counters and reports are read from it. Its slices have
// an entry for each recipient that was tried.
type Outcome struct {
	fate  []fate
	errs  []error // why; nil for those that were taken
	taken int
	later int // recipients that are still to do

	// At most one of these is set; they concern those that are still to do.
	lost    bool // the session ended before the server judged: nothing is held against the message
	again   bool // the server takes only so many recipients at once: the rest goes now
	damaged bool // the message can't be read as it was accepted
	stop    *queue.Fault

	bystander bool  // another message was the last of the session
	err       error // why anything is still to do
	uncertain bool  // the server may have taken the message
	reply     string
	enhanced  string

	told    told  // who hears of those that were refused
	expired bool  // they were refused because the message is too old
	unkept  error // why what was still to do was refused
	whole   bool  // one error refused all of them
}

// fate is what became of one recipient.
type fate uint8

const (
	fateLater fate = iota
	fateTaken
	fateRefused
)

// told says who hears of refused recipients.
type told uint8

const (
	toldCaller told = iota // who waits for the answer
	toldByMail             // the sender, by a report
	toldNobody             // the message is kept for the administrator
)

// untried is the outcome for a message that was not tried: all is still to do.
func untried(recipients int, err error) *Outcome {
	o := &Outcome{fate: make([]fate, recipients), errs: make([]error, recipients), later: recipients, err: err}
	for i := range o.errs {
		o.errs[i] = err
	}
	return o
}

// refuse refuses for good what is still to do.
func (o *Outcome) refuse(err error) {
	o.refuseLater(func(error) error { return err })
	o.stop, o.again, o.err = nil, false, nil
}

// unkept is the outcome for a message that is neither tried nor kept.
func unkept(to []envelope.Recipient, err error) *Outcome {
	o := untried(len(to), err)
	o.giveBack(err)
	return o
}

// add puts down the outcome for some of the recipients, by their places, and returns those who are to be tried again
// at once.
func (o *Outcome) add(some []int, n *Outcome) (again []int) {
	for k, i := range some {
		if n.again && n.fate[k] == fateLater {
			again = append(again, i)
			continue
		}
		o.fate[i], o.errs[i] = n.fate[k], n.errs[k]
	}
	o.taken, o.later = o.taken+n.taken, o.later-(len(some)-n.later)
	if n.taken > 0 {
		o.reply, o.enhanced = n.reply, n.enhanced
	}
	return again
}

// giveBack leaves to the caller what is still to do: it is not kept. unkept says why it can't be, nil when
// there is no place to keep it.
func (o *Outcome) giveBack(unkept error) {
	o.whole = o.whole || o.later == len(o.fate)
	if unkept != nil {
		o.unkept = unkept
	}
	o.refuseLater(func(err error) error {
		if unkept != nil {
			return unkept
		}
		return err
	})
}

func (o *Outcome) refuseLater(why func(error) error) {
	for k, f := range o.fate {
		if f == fateLater {
			o.fate[k], o.errs[k] = fateRefused, why(o.errs[k])
		}
	}
	o.later = 0
}

// rest is the part of an outcome that is still to do, with the places of its recipients.
func (o *Outcome) rest() (r *Outcome, places []int) {
	r = &Outcome{fate: make([]fate, o.later), later: o.later, again: o.again, stop: o.stop, err: o.err}
	for k, f := range o.fate {
		if f == fateLater {
			r.errs, places = append(r.errs, o.errs[k]), append(places, k)
		}
	}
	return r, places
}

// receipt sorts the recipients for a caller; those still to do are in the queue. When none was accepted the
// first refusal is the error, so that a caller can't take it for a success.
func (o *Outcome) receipt(to []envelope.Recipient) (r envelope.Receipt, err error) {
	for k, f := range o.fate {
		if f == fateRefused {
			r.Refused = append(r.Refused, envelope.Refusal{Address: to[k].Address, Err: o.errs[k]})
		} else {
			r.Accepted = append(r.Accepted, to[k].Address)
		}
	}
	r.Queued = o.later > 0
	if o.whole {
		r.Refused = nil // the error says it all
	}
	switch {
	case o.taken > 0:
		r.Reply = o.reply
	case o.unkept != nil:
		err = o.unkept
	case o.later == 0 && len(o.errs) > 0:
		err = o.errs[0]
	case o.later == 0:
		err = errors.New("the server answered for no recipient")
	}
	return r, err
}

// states are the recipients that are done with, by their place in the item: todo says which were tried. A
// refusal that the caller was told about needs no report.
func (o *Outcome) states(todo []int) map[int]spool.RecipientStatus {
	states := make(map[int]spool.RecipientStatus, len(todo))
	for k, i := range todo {
		switch o.fate[k] {
		case fateTaken:
			states[i] = spool.RecipientStatus{State: spool.Done, Code: 250, Enhanced: o.enhanced}
		case fateRefused:
			state := spool.Failed
			if o.told == toldCaller {
				state = spool.Done
			}
			code, enh := replyOf(o.errs[k])
			states[i] = spool.RecipientStatus{State: state, Code: code, Enhanced: enh}
		}
	}
	return states
}

// word is the log's word for the fate of a recipient, with its priority and the status code that stands for it
// when the server gave none (RFC 3463).
func (o *Outcome) word(k int) (word, dsn string, p maillog.Priority) {
	switch {
	case o.fate[k] == fateTaken:
		return "sent", "2.0.0", maillog.Info
	case o.fate[k] == fateLater && o.stop != nil && o.stop.Hold:
		return "held", "4.0.0", maillog.Warning
	case o.fate[k] == fateLater:
		return "deferred", "4.0.0", maillog.Warning
	case o.expired:
		return "expired", "5.0.0", maillog.Notice
	case o.told == toldByMail:
		return "bounced", "5.0.0", maillog.Notice
	case o.told == toldNobody:
		return "failed", "5.0.0", maillog.Err
	}
	switch ExitCode(o.errs[k]) {
	case sysexits.TempFail, sysexits.Config, sysexits.OSErr, sysexits.IOErr, sysexits.Software:
		return "refused", "4.0.0", maillog.Warning // trying again may help
	}
	return "refused", "5.0.0", maillog.Notice
}

// log writes a line for each recipient whose fate this is; what goes again at once has none yet.
func (o *Outcome) log(log eventLog, id string, to []envelope.Recipient, relay string, delay time.Duration) {
	for k, f := range o.fate {
		if f == fateLater && o.again {
			continue
		}
		word, dsn, p := o.word(k)
		var text any = o.errs[k]
		enh, by := o.enhanced, relay
		if f == fateTaken {
			text = o.reply
		} else if _, enh = replyOf(o.errs[k]); !heard(o.errs[k]) {
			by = "none"
		}
		if enh != "" {
			dsn = enh
		}
		log.Log(p, id, "to", "<"+to[k].Address+">", "relay", by, "delay", delay, "dsn", dsn, "status", word, "", text)
	}
}

// lostBy returns why the session ended before the server judged; nil if it did not, or not by this message.
func (o *Outcome) lostBy() error {
	if o.bystander || o.err == nil || !ended(o.err) {
		return nil
	}
	return o.err
}

// count adds the outcome to the counters.
func (o *Outcome) count(c *Counters) {
	c.Sent += o.taken
	if !o.again {
		c.Deferred += o.later
	}
	switch n := len(o.fate) - o.taken - o.later; {
	case o.expired:
		c.Expired += n
	case o.told == toldCaller:
		c.Refused += n
	default:
		c.Bounced += n
	}
}

// heard reports whether a fault came up in a session with the server, and so is not a fault of the network.
func heard(err error) bool {
	var e *submit.Error
	if !errors.As(err, &e) {
		return false
	}
	_, early := scopeOf(e)
	return !early
}

func replyOf(err error) (code int, enh string) {
	var e *submit.Error
	if errors.As(err, &e) {
		return e.Code, e.Enhanced
	}
	return 0, ""
}

func enhanced(code, otherwise string) string {
	if code == "" {
		return otherwise
	}
	return code
}
