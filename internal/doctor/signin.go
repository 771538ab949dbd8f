package doctor

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/xoauth"
)

// auth signs in as user (RFC 4954; the token takes the line of its own that the RFC allows).
func (d *dialogue) auth(user string, token xoauth.Secret) (smtpreply.Reply, error) {
	ir := xoauth.InitialResponse(user, token)
	if ir == nil {
		return smtpreply.Reply{}, errors.New("the mailbox's address or the token can't be sent")
	}
	rep, err := d.cmd("AUTH XOAUTH2")
	if err != nil || rep.Code != 334 {
		return rep, err
	}
	if rep, err = d.cmd(base64.StdEncoding.EncodeToString(ir)); err == nil && rep.Code == 334 {
		rep, err = d.cmd("") // an error as a challenge
	}
	return rep, err
}

// fresh opens another session up to AUTH, and signs in.
func (r *runner) fresh(ctx context.Context, host, user string) (*dialogue, smtpreply.Reply, error) {
	d, greeting, err := r.open(ctx)
	if err != nil {
		return nil, smtpreply.Reply{}, err
	}
	rep, err := greeting, error(nil)
	if greeting.Code == 220 {
		rep, err = r.upTo(ctx, d, host, user)
	}
	if err != nil {
		d.conn.Close()
		return nil, rep, err
	}
	return d, rep, nil
}

func (r *runner) upTo(ctx context.Context, d *dialogue, host, user string) (smtpreply.Reply, error) {
	for _, line := range []string{"EHLO " + r.ehloName(), "STARTTLS"} {
		if rep, err := d.cmd(line); err != nil || rep.Code >= 300 {
			return rep, err
		}
	}
	if _, err := r.encrypt(ctx, d, host); err != nil {
		return smtpreply.Reply{}, err
	}
	if rep, err := d.cmd("EHLO " + r.ehloName()); err != nil || rep.Code >= 300 {
		return rep, err
	}
	return d.auth(user, r.token.Access)
}

// signInAs is the check of the configured mailbox. A refusal that may come from a change
// still spreading is tried once more.
func (r *runner) signInAs(ctx context.Context, c *Check, host string) {
	user := r.cfg.Mailbox
	rep, err := r.talk.auth(user, r.token.Access)
	if err != nil {
		r.endTalk()
		r.judgeLoss(c, "auth", err, "")
		return
	}
	if rep.Code == 235 {
		c.ok(user + ": " + rep.String())
		return
	}
	r.endTalk()
	d := diagnose.Reply("auth", rep.Code, rep.Enhanced, rep.Text())
	if !refusedToken(d) {
		r.judge(c, d, rep.String())
		return
	}
	if again, second, err := r.fresh(ctx, host, user); err == nil && second.Code == 235 {
		r.talk, r.spreading = again, true
		c.warn("spreading", "the first sign-in was refused and the second taken: a change in Exchange is still spreading ("+rep.String()+")", "wait: changes take up to 2 h; then o365-sendmail doctor again")
		return
	} else if again != nil {
		again.quit()
	}
	r.explain(c, rep, r.secondOpinion(ctx, host))
}

// refusedToken is the reply that has many causes, which the claims tell apart.
func refusedToken(d diagnose.Diagnosis) bool {
	return d.Key == "sign-in-refused" || d.Key == "token-refused"
}

// opinion is what signing in to another mailbox showed.
type opinion struct {
	mailbox string // "" when there is no other
	taken   bool
}

// secondOpinion signs in to another mailbox of the configuration. Only success tells
// something: then the application is in order.
func (r *runner) secondOpinion(ctx context.Context, host string) opinion {
	var last opinion
	for _, m := range r.others() {
		d, rep, err := r.fresh(ctx, host, m)
		if err != nil {
			continue
		}
		d.quit()
		if last = (opinion{m, rep.Code == 235}); last.taken {
			return last
		}
	}
	return last
}

// others are at most three mailboxes besides the configured one that the application is
// meant to use.
func (r *runner) others() []string {
	var list []string
	add := func(m string) {
		if m != "" && !strings.Contains(m, "*") && !strings.EqualFold(m, r.cfg.Mailbox) && !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	add(r.o.Other)
	for _, m := range r.cfg.From.SignAs {
		add(m)
	}
	for _, m := range r.cfg.From.SendAs {
		add(m)
	}
	return list[:min(3, len(list))]
}

// explain names the step that a 535 5.7.3 is about.
func (r *runner) explain(c *Check, rep smtpreply.Reply, other opinion) {
	said, v := " ("+rep.String()+")", r.values()
	has := r.claims.HasRole(roleSendAsApp)
	switch {
	case r.cfg.Credential.Type == config.TypeDeviceCode:
		c.fail(Configuration, "delegated", fmt.Sprintf("the token is of %q, who may not use %s%s", r.claims.UPN, r.cfg.Mailbox, said), setup.Delegate(v, r.claims.UPN))
	case r.tenantSays(c, said):
	case r.kind().Name == account.HVE:
		c.fail(Configuration, "hve-sign-in", "High Volume Email does not let the application sign in as "+
			r.cfg.Mailbox+said,
			setup.GrantHVE(v)+"; "+setup.BillHVE(v))
	case other.taken && has:
		c.fail(Configuration, "not-a-mailbox",
			fmt.Sprintf("%s can sign in and %s can't: it is not a mailbox, or has no licence%s", other.mailbox,
				r.cfg.Mailbox, said), setup.CheckMailbox(v))
	case other.taken:
		c.fail(Configuration, "scope", fmt.Sprintf("%s can sign in and %s can't: it is not in the management scope of the role%s", other.mailbox, r.cfg.Mailbox, said), setup.JoinScope(v))
	case r.tenantReport() != nil:
		r.tenantIsRight(c, said)
	case has:
		c.fail(Configuration, "service-principal", fmt.Sprintf("the token is good, but Exchange does not know the application with the object id %s%s", r.claims.OID, said), setup.RegisterApp(v, other.mailbox == ""))
	case r.way() == diagnose.WayScoped:
		c.fail(Configuration, "scoped-role", "Exchange does not give the application the role \"Application "+roleSendAsApp+"\" for "+r.cfg.Mailbox+said, setup.AssignRole(v))
	case r.way() == diagnose.WayAPI:
		c.fail(Configuration, "permission", "the token has no role "+roleSendAsApp+
			": permission or admin consent is missing"+
			said, setup.GrantConsent(v))
	default:
		c.fail(Configuration, "permission", "the token has no role "+roleSendAsApp+
			": with the scoped role it does not "+
			"cover "+r.cfg.Mailbox+", with the API permission that or its consent is missing"+said,
			"with the scoped role, "+setup.AssignRole(v)+"; with the API permission, "+setup.GrantConsent(v)+
				`; set way = "scoped" or "api" in `+r.path+", and one of the two is named")
	}
}

// senders checks each address that messages may be sent from.
func (r *runner) senders(ctx context.Context, host string) {
	if r.cfg == nil {
		return
	}
	r.checkAbout("sender", r.cfg.Mailbox, []string{"sign-in"}, func(c *Check) { r.mailFrom(c, r.talk, r.cfg.Mailbox) })
	for _, m := range r.cfg.Pool {
		r.checkAbout("pool", m, []string{"sign-in"}, func(c *Check) { r.signedInAs(ctx, c, host, m, r.cfg.Mailbox) })
	}
	for _, from := range r.otherSenders() {
		r.checkAbout("sender", from, []string{"sign-in"}, func(c *Check) {
			if own := r.rep.Find("sender", r.cfg.Mailbox); own.Status == Failed {
				c.skip("needs sender " + r.cfg.Mailbox)
				return
			}
			r.senderAs(ctx, c, host, from)
		})
	}
}

// otherSenders are the addresses of send_as; what a pattern stands for can't be tried.
func (r *runner) otherSenders() []string {
	var list []string
	for _, from := range r.cfg.From.SendAs {
		if !strings.Contains(from, "*") && !strings.EqualFold(from, r.cfg.Mailbox) {
			list = append(list, from)
		}
	}
	return list
}

// senderAs signs in as the rule says for that sender.
func (r *runner) senderAs(ctx context.Context, c *Check, host, from string) {
	user := r.cfg.Mailbox
	if as, ok := r.cfg.From.SignAs[strings.ToLower(from)]; ok {
		user = as
	} else if r.cfg.From.SignIn == config.SignInSender {
		user = from
	}
	if strings.EqualFold(user, r.cfg.Mailbox) {
		r.mailFrom(c, r.talk, from)
		return
	}
	r.signedInAs(ctx, c, host, user, from)
}

// signedInAs signs in to a mailbox besides the configured one, and names a sender there.
func (r *runner) signedInAs(ctx context.Context, c *Check, host, user, from string) {
	d, rep, err := r.fresh(ctx, host, user)
	if err != nil {
		r.judgeLoss(c, "auth", err, "")
		return
	}
	defer d.quit()
	if rep.Code != 235 {
		diag := diagnose.Reply("auth", rep.Code, rep.Enhanced, rep.Text())
		v := r.values()
		v.Mailbox = user
		switch {
		case r.spreading && refusedToken(diag):
			c.skip("not judged while a change in Exchange is spreading: " + rep.String())
		case !refusedToken(diag):
			c.fail(classOf(diag.Class), diag.Key, user+" can't sign in: "+rep.String(),
				v.Fill(diag.Advice(user, r.way())))
		case r.claims.HasRole(roleSendAsApp):
			c.fail(Configuration, "not-a-mailbox", user+" is not a mailbox, or has no licence ("+rep.String()+")", setup.CheckMailbox(v))
		default:
			c.fail(Configuration, "scope", user+" is not in the management scope of the role ("+rep.String()+")", setup.JoinScope(v))
		}
		return
	}
	r.mailFrom(c, d, from)
}

// mailFrom names a sender and takes it back.
func (r *runner) mailFrom(c *Check, d *dialogue, from string) {
	rep, err := d.cmd("MAIL FROM:<" + from + ">")
	if err != nil {
		r.judgeLoss(c, "mail", err, "")
		return
	}
	if rep.Code != 250 {
		r.judgeReply(c, "mail", rep)
		r.sendAs(c, from)
		_, _ = d.cmd("RSET")
		return
	}
	if _, err := d.cmd("RSET"); err != nil {
		r.judgeLoss(c, "rset", err, "")
		return
	}
	c.ok(rep.String())
}

// sendAs completes the remedy for a sender that is refused.
func (r *runner) sendAs(c *Check, from string) {
	if c.Key == "send-as-denied" {
		c.Hint = oneLine(setup.GrantSendAs(r.values(), from))
	}
}

// recipient names a recipient and takes it back.
func (r *runner) recipient(c *Check) {
	to := cmp.Or(r.o.SendTo, r.cfg.RootTo, r.cfg.AlertTo, r.cfg.Mailbox)
	if s := r.rep.Find("sender", r.cfg.Mailbox); s != nil && s.Status == Failed {
		c.skip("needs sender " + r.cfg.Mailbox)
		return
	}
	defer func() { _, _ = r.talk.cmd("RSET") }()
	for _, step := range []struct{ phase, line string }{{"mail", "MAIL FROM:<" + r.cfg.Mailbox + ">"}, {"rcpt", "RCPT TO:<" + to + ">"}} {
		rep, err := r.talk.cmd(step.line)
		if err != nil {
			r.judgeLoss(c, step.phase, err, "")
			return
		}
		if rep.Code != 250 {
			r.judgeReply(c, step.phase, rep)
			if c.Hint == "" {
				c.Hint = "correct the address " + to
			}
			return
		}
		c.ok(to + ": " + rep.String() + "; nothing was sent")
	}
}

// limits compares what the server takes with what is configured.
func (r *runner) limits(c *Check) {
	d := r.cfg.Delivery
	most := d.MaxSize
	switch {
	case r.size > 0 && most > r.size:
		c.warn("size", fmt.Sprintf("the server takes messages of %s, delivery.max_size allows %s", size(r.size), size(most)), fmt.Sprintf(`set delivery.max_size = "%dkB" in %s`, r.size/1000, r.path))
	case r.kind().Name == account.HVE:
		c.ok(fmt.Sprintf("messages to %s (the server takes %s), %d recipients a message, %d connections, %s a "+
			"minute, %s a day, "+
			"inside the organization only", size(most), size(r.size), d.MaxRecipients, d.Connections,
			number(d.MessagesPerMinute, "messages"), number(d.RecipientsPerDay, "recipients")))
	default:
		c.ok(fmt.Sprintf("messages to %s (the server takes %s, the mailbox 35 MB unless changed), %d connections, %s "+
			"a minute, "+
			"%s a day", size(most), size(r.size), d.Connections, number(d.MessagesPerMinute, "messages"),
			number(d.RecipientsPerDay, "recipients")))
	}
}

// number writes a limit of which 0 is none.
func number(n int, what string) string {
	if n == 0 {
		return "any number of " + what
	}
	return fmt.Sprint(n, " ", what)
}
