package doctor

import (
	"context"
	"strconv"
	"strings"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/smtpreply"
)

// relayed reports whether mail goes to another host's agent, which has the account.
func (r *runner) relayed() bool { return r.kind().Name == account.Relay }

// relay checks what another host's agent says to this one: TLS with both certificates, and whether it takes mail.
func (r *runner) relay(ctx context.Context, way []string, host string) {
	way = append(way, "roots", "credential")
	if r.account != nil && r.account.Submit.Implicit {
		r.check("smtp-tls", way, func(c *Check) { r.tlsFirst(ctx, c, host) })
	} else {
		r.check("smtp-greeting", way, func(c *Check) { r.relayGreets(ctx, c) })
		r.check("smtp-starttls", []string{"smtp-greeting"}, r.startTLS)
		r.check("smtp-tls", []string{"smtp-starttls"}, func(c *Check) { r.handshake(ctx, c, host) })
	}
	r.check("relay", []string{"smtp-tls"}, r.relayTakes)
	r.checkAbout("sender", r.cfg.Mailbox, []string{"relay"}, func(c *Check) { r.mailFrom(c, r.talk, r.cfg.Mailbox) })
	r.check("recipient", []string{"relay"}, r.recipient)
	r.endTalk()
	r.messages(ctx)
	r.check("chunking", []string{"relay"}, r.chunking)
}

// tlsFirst is for implicit TLS.
func (r *runner) tlsFirst(ctx context.Context, c *Check, host string) {
	conn, err := r.dial(ctx, "smtp")
	if err != nil {
		r.judgeLoss(c, "connect", err, "")
		return
	}
	r.talk = newDialogue(conn, r.o.Timeout)
	if r.handshake(ctx, c, host); c.Status == Failed {
		return
	}
	greeting, err := r.talk.read()
	r.judgeGreeting(c, greeting, err)
}

func (r *runner) relayGreets(ctx context.Context, c *Check) {
	d, greeting, err := r.open(ctx)
	r.talk = d
	if r.judgeGreeting(c, greeting, err) {
		c.ok(greeting.String())
	}
}

func (r *runner) judgeGreeting(c *Check, greeting smtpreply.Reply, err error) (good bool) {
	switch {
	case err != nil:
		r.judgeLoss(c, "greeting", err, "")
	case greeting.Code != 220:
		r.judgeReply(c, "greeting", greeting)
	default:
		return true
	}
	return false
}

// relayTakes says EHLO within TLS: the relay answers it when it takes this host's certificate.
func (r *runner) relayTakes(c *Check) {
	hello, err := r.talk.cmd("EHLO " + r.ehloName())
	switch {
	case err != nil:
		r.judgeLoss(c, "ehlo", err, "see the relay's log: it may not take this host's certificate")
	case hello.Code != 250:
		r.judgeReply(c, "ehlo", hello)
	default:
		if limit, ok := hello.Extension("SIZE"); ok {
			r.size, _ = strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
		}
		if r.size > 0 && r.cfg.Delivery.MaxSize > r.size {
			c.warn("size", "the relay takes messages of "+size(r.size)+", delivery.max_size allows "+
				size(r.cfg.Delivery.MaxSize), "set delivery.max_size in "+r.path)
			return
		}
		c.ok("the relay takes this host's certificate, and messages of " + size(r.size))
	}
}
