package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/smtpreply"
)

// exchange checks the way to the relay and what it lets the mailbox do.
func (r *runner) exchange(ctx context.Context) {
	host, port := r.cloud.SMTPHost, r.cloud.SMTPPort
	if r.cfg != nil {
		host, port = cmp.Or(r.cfg.SMTP.Host, host), r.cfg.SMTP.Port
	}
	way := []string{"smtp-proxy"}
	if r.cfg != nil && r.cfg.SMTP.Proxy != "" {
		r.check("smtp-proxy", nil, func(c *Check) { r.viaProxy(ctx, c, host, port) })
	} else {
		way = r.reach(ctx, "smtp", host, port, r.known())
	}
	if r.relayed() {
		r.relay(ctx, way, host)
		return
	}
	r.check("smtp-greeting", way, func(c *Check) { r.greeting(ctx, c, host, port) })
	r.check("smtp-starttls", []string{"smtp-greeting"}, r.startTLS)
	r.check("smtp-tls", []string{"smtp-starttls", "roots"}, func(c *Check) { r.handshake(ctx, c, host) })
	r.check("smtp-auth", []string{"smtp-tls"}, r.offersAuth)
	r.check("sign-in", []string{"configuration", "credential", "token", "claims", "smtp-auth"}, func(c *Check) { r.signInAs(ctx, c, host) })
	r.senders(ctx, host)
	r.check("recipient", []string{"configuration", "sign-in"}, r.recipient)
	r.check("limits", []string{"configuration", "smtp-auth"}, r.limits)
	r.endTalk()
	if r.cfg != nil {
		r.messages(ctx)
	}
	if r.account != nil {
		r.check("chunking", []string{"smtp-auth"}, r.chunking)
	}
}

// chunking reports how messages go, and whether the server has failed at BDAT of late.
func (r *runner) chunking(c *Check) {
	if why, until, off := r.account.NoChunks(); off {
		c.warn("chunking-refused", "the server offers CHUNKING and fails at BDAT ("+why+"): messages go by DATA until "+
			until.UTC().Format("2006-01-02 15:04 MST"),
			"set smtp.chunking = \"off\" in "+r.path)
		return
	}
	c.ok(`smtp.chunking = "` + r.cfg.SMTP.Chunking + `", and the server is not known to fail at BDAT`)
}

func (r *runner) viaProxy(ctx context.Context, c *Check, host string, port int) {
	seen := "mail goes through " + proxyName(r.cfg.SMTP.Proxy)
	r.alive["smtp"] = net.JoinHostPort(host, strconv.Itoa(port))
	if r.account == nil {
		c.skip(seen + ", and that way is not tried without the credential")
		return
	}
	r.o.DialContext = r.account.Submit.DialContext
	ctx, cancel := r.limit(ctx)
	defer cancel()
	conn, err := r.o.DialContext(ctx, "tcp", r.alive["smtp"])
	if err != nil {
		c.fail(Unavailable, "proxy", err.Error(), "check smtp.proxy in "+r.path+" and that the proxy lets "+r.alive["smtp"]+" through")
		return
	}
	conn.Close()
	c.ok(seen)
}

// open connects and reads the greeting.
func (r *runner) open(ctx context.Context) (*dialogue, smtpreply.Reply, error) {
	conn, err := r.dial(ctx, "smtp")
	if err != nil {
		return nil, smtpreply.Reply{}, err
	}
	d := newDialogue(conn, r.o.Timeout)
	greeting, err := d.read()
	if err != nil {
		conn.Close()
		return nil, smtpreply.Reply{}, err
	}
	return d, greeting, nil
}

func (r *runner) endTalk() {
	if r.talk != nil {
		r.talk.quit()
		r.talk = nil
	}
}

func (r *runner) greeting(ctx context.Context, c *Check, host string, port int) {
	d, greeting, err := r.open(ctx)
	switch {
	case err != nil:
		r.judgeLoss(c, "greeting", err, fmt.Sprintf("allow port %d to %s unmodified: look for a firewall or provider that intercepts SMTP", port, host))
	case greeting.Code != 220:
		d.quit()
		r.judgeReply(c, "greeting", greeting)
	case !strings.Contains(greeting.Text(), "Microsoft ESMTP MAIL Service") &&
		!strings.EqualFold(host, r.cloud.SMTPHost) && !microsoft(host):
		r.talk = d
		c.warn("smtp-foreign", "smtp.host names "+host+", which does not greet as Exchange Online: "+greeting.String(), "check smtp.host and smtp.port: "+r.cloud.SMTPHost+" and 587")
	case !strings.Contains(greeting.Text(), "Microsoft ESMTP MAIL Service"):
		d.quit()
		c.fail(Configuration, "smtp-foreign", host+" does not greet as Exchange Online: "+greeting.String(), "another server answers in its place: look for a firewall or provider that intercepts SMTP")
	default:
		r.talk = d
		c.ok(greeting.String())
	}
}

func microsoft(host string) bool {
	host = strings.ToLower(host)
	for _, s := range []string{".office365.com", ".office365.us", ".outlook.com", ".outlook.cn", ".mx.microsoft"} {
		if strings.HasSuffix(host, s) {
			return true
		}
	}
	return false
}

func (r *runner) ehloName() string {
	name := r.o.HostName
	if r.cfg != nil {
		name = cmp.Or(r.cfg.SMTP.EHLOName, name)
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "localhost"
	}
	return name
}

func (r *runner) startTLS(c *Check) {
	hello, err := r.talk.cmd("EHLO " + r.ehloName())
	if err != nil {
		r.judgeLoss(c, "ehlo", err, "")
		return
	}
	if hello.Code != 250 {
		r.judgeReply(c, "ehlo", hello)
		return
	}
	if _, ok := hello.Extension("STARTTLS"); !ok {
		r.judgeFault(c, diagnose.FaultNoStartTLS, "EHLO offers no STARTTLS: "+hello.String())
		return
	}
	rep, err := r.talk.cmd("STARTTLS")
	switch {
	case err != nil:
		r.judgeLoss(c, "starttls", err, "")
	case rep.Code != 220:
		r.judgeReply(c, "starttls", rep)
	case r.talk.br.Buffered() > 0:
		r.judgeFault(c, diagnose.FaultInjected, "text came after the answer to STARTTLS")
	default:
		c.ok(rep.String())
	}
}

// smtpName is the keys that say which name the relay's certificate must be for.
func (r *runner) smtpName() string {
	if r.relayed() {
		return "smtp.host or smtp.server_name"
	}
	return "smtp.host"
}

func (r *runner) handshake(ctx context.Context, c *Check, host string) {
	state, err := r.encrypt(ctx, r.talk, host)
	if err != nil {
		r.endTalk()
		r.judgeTLS(c, err, r.smtpName())
		return
	}
	c.ok(tlsSeen(state))
}

func (r *runner) encrypt(ctx context.Context, d *dialogue, host string) (tls.ConnectionState, error) {
	tc, err := r.tlsConfig(host)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	conn := tls.Client(d.conn, tc)
	if err := conn.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	*d = *newDialogue(conn, d.timeout)
	return conn.ConnectionState(), nil
}

func (r *runner) offersAuth(c *Check) {
	hello, err := r.talk.cmd("EHLO " + r.ehloName())
	if err != nil {
		r.judgeLoss(c, "ehlo", err, "")
		return
	}
	if hello.Code != 250 {
		r.judgeReply(c, "ehlo", hello)
		return
	}
	if limit, ok := hello.Extension("SIZE"); ok {
		r.size, _ = strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	}
	mechs, _ := hello.Extension("AUTH")
	for m := range strings.FieldsSeq(mechs) {
		if strings.EqualFold(m, "XOAUTH2") {
			c.ok("AUTH " + mechs + " is offered")
			return
		}
	}
	r.judgeFault(c, diagnose.FaultNoXOAUTH2, "EHLO offers no AUTH XOAUTH2: "+hello.String())
}

// judgeReply takes cause and remedy from the table of Exchange Online's replies.
func (r *runner) judgeReply(c *Check, phase string, rep smtpreply.Reply) {
	d := diagnose.Reply(phase, rep.Code, rep.Enhanced, rep.Text())
	r.judge(c, d, rep.String())
}

func (r *runner) judgeFault(c *Check, f diagnose.Fault, seen string) {
	r.judge(c, diagnose.Failure(f), seen)
}

func (r *runner) judge(c *Check, d diagnose.Diagnosis, seen string) {
	if d.Cause != "" {
		seen = d.Cause + ": " + seen
	}
	hint := r.values().Fill(d.Advice(r.mailbox(), r.way()))
	if hint == "" && classOf(d.Class) == Temporary {
		hint = "wait and try again; if it lasts, see https://status.cloud.microsoft"
	}
	c.fail(classOf(d.Class), d.Key, seen, hint)
	r.tenantNames(c)
}

func classOf(c diagnose.Class) Class {
	switch c {
	case diagnose.Configuration:
		return Configuration
	case diagnose.Permanent:
		return Unavailable
	}
	return Temporary
}

// judgeLoss is about a connection that ended, hung or talks another protocol.
func (r *runner) judgeLoss(c *Check, phase string, err error, hint string) {
	f, seen := diagnose.FaultDropped, "the connection ended at "+phase+": "+err.Error()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		f, seen = diagnose.FaultTimeout, fmt.Sprintf("no answer at %s within %v", phase, r.o.Timeout)
	case errors.As(err, new(*smtpreply.ProtocolError)):
		f, seen = diagnose.FaultProtocol, err.Error()
	case errors.Is(err, io.EOF):
		seen = "the server closed the connection at " + phase
	case errors.Is(err, syscall.ECONNRESET):
		seen = "the connection was reset at " + phase
	}
	d := diagnose.Failure(f)
	c.fail(Unavailable, d.Key, seen,
		cmp.Or(hint, d.Remedy, "look for a firewall or proxy on the way that changes or ends SMTP sessions"))
}
