//go:build crash

package crash

import (
	"fmt"
	"path/filepath"
	"testing"
)

// crowd sends messages with more recipients than a transaction takes, and counts who got each.
type crowd struct {
	s  *site
	to []string
	n  int
}

// inTwos is the configuration of transactions with two recipients at most.
const inTwos = "[delivery]\nmax_recipients = 2\n"

func newCrowd(s *site) *crowd {
	c := &crowd{s: s}
	for i := range 7 {
		c.to = append(c.to, fmt.Sprintf("r%d@example.org", i))
	}
	return c
}

func (c *crowd) message() (subject, text string) {
	c.n++
	subject = fmt.Sprintf("crowd-%d", c.n)
	return subject, "Subject: " + subject + "\n\nhello\n"
}

// args are those of a call to all.
func (c *crowd) args(mode string) []string { return append([]string{mode, "-i"}, c.to...) }

// settle has the queue sent, and judges each of the messages, of whose last run is known whether it was killed: nobody
// of an accepted one is lost, one that was not accepted went to all or to nobody, and two at most, those of the
// transaction under way, got a second copy.
func (c *crowd) settle(killed bool, fates map[string]result) {
	t := c.s.t
	t.Helper()
	for range 5 {
		c.s.quiet()
		if c.s.queued() == 0 {
			break
		}
		c.s.sendmail("", "-q")
	}
	if n := c.s.queued(); n > 0 {
		t.Errorf("%d messages are left in the queue\n%s", n, c.s.log())
	}
	got := map[string]map[string]int{}
	for _, m := range c.s.Messages() {
		subject := m.Header("Subject")
		if got[subject] == nil {
			got[subject] = map[string]int{}
		}
		if len(m.To) > 2 {
			t.Errorf("%s: %d recipients in one transaction", subject, len(m.To))
		}
		for _, a := range m.To {
			got[subject][a]++
		}
	}
	for subject, r := range fates {
		c.judge(subject, r, killed, got[subject])
	}
}

func (c *crowd) judge(subject string, r result, killed bool, got map[string]int) {
	t := c.s.t
	t.Helper()
	missing, again := 0, 0
	for _, a := range c.to {
		if got[a] == 0 {
			missing++
		}
		again += max(got[a]-1, 0)
	}
	switch {
	case missing > 0 && (r.code == 0 && !r.killed || missing < len(c.to)):
		t.Errorf("%s: %d of %d recipients are lost, the call ended with %+v\n%s",
			subject, missing, len(c.to), r, c.s.log())
	case again > 2, again > 0 && !killed:
		t.Errorf("%s: %d second copies, killed: %v\n%s", subject, again, killed, c.s.log())
	}
}

// TestKillManyRecipients kills a call without an agent, and the run of the queue that it starts.
func TestKillManyRecipients(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"-odi", "-odb"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(newSite(t, inTwos))
			subject, text := c.message()
			most, r := c.s.calls(text, c.args(mode)...)
			c.settle(false, map[string]result{subject: r})
			each(t, points(most, killCalls, "signal=KILL"), func(p point) {
				subject, text := c.message()
				r := c.s.traced(p.args(), text, c.args(mode)...)
				// A run that the call has started may have been the one that was killed.
				c.settle(true, map[string]result{subject: r})
			})
		})
	}
}

// TestKillManyRecipientsRun kills a run of the queue.
func TestKillManyRecipientsRun(t *testing.T) {
	t.Parallel()
	c := newCrowd(newSite(t, inTwos))
	put := func() map[string]result {
		subject, text := c.message()
		return map[string]result{subject: c.s.sendmail(text, c.args("-odq")...)}
	}
	fates := put()
	most, r := c.s.calls("", "-q")
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	c.settle(false, fates)
	each(t, points(most, killCalls, "signal=KILL"), func(p point) {
		fates := put()
		r := c.s.traced(p.args(), "", "-q")
		c.settle(r.killed, fates)
	})
}

// TestKillManyRecipientsAgent kills an agent that takes one such message while it delivers another.
func TestKillManyRecipientsAgent(t *testing.T) {
	t.Parallel()
	c := newCrowd(agentSite(t, inTwos+"[agent]\nqueue_interval = \"1s\"\n"))
	work := func(tracer []string) (*process, map[string]result) {
		fates := map[string]result{}
		waiting, text := c.message()
		fates[waiting] = c.s.sendmail(text, append([]string{"-O", "QueueOnly"}, c.args("-odq")...)...)
		p := c.s.agent(tracer...)
		if p.answers() {
			subject, text := c.message()
			fates[subject] = c.s.client(text, c.args("-odi")...)
			c.s.until("all is delivered", func() bool { return p.ended() || c.s.queued() == 0 })
		}
		return p, fates
	}
	file := filepath.Join(c.s.dir, "calls")
	p, fates := work(append([]string{"strace", "-D"}, counting(file)...))
	if r := p.end(); r.code != 0 {
		t.Fatalf("%+v %s", r, p.stderr.String())
	}
	c.settle(false, fates)
	each(t, points(counts(t, file), killCalls, "signal=KILL"), func(pt point) {
		p, fates := work(append([]string{"strace", "-D"}, pt.args()...))
		r := p.end()
		c.settle(r.killed, fates)
	})
}
