package doctor

import (
	"context"
	"errors"
	"strings"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/submit"
)

// messages sends one from the mailbox and from each other sender.
func (r *runner) messages(ctx context.Context) {
	r.check("message", []string{"sign-in", "recipient"}, func(c *Check) { r.message(ctx, c, r.cfg.Mailbox) })
	if r.o.SendTo == "" || r.o.Send == nil {
		return
	}
	for _, from := range r.otherSenders() {
		r.checkAbout("message", from, []string{"message"}, func(c *Check) {
			if s := r.rep.Find("sender", from); s != nil && s.Status != OK {
				c.skip("needs sender " + from)
				return
			}
			r.message(ctx, c, from)
		})
	}
}

// message sends one, which alone shows whether the application may use the mailbox:
// Exchange Online tells that at the end of the data.
func (r *runner) message(ctx context.Context, c *Check, from string) {
	if r.o.SendTo == "" || r.o.Send == nil {
		c.skip("no message was sent: --send-to ADDRESS sends one")
		return
	}
	words, err := r.o.Send(ctx, from, r.o.SendTo)
	if err == nil {
		c.ok("to " + r.o.SendTo + ": " + words)
		return
	}
	var e *submit.Error
	if !errors.As(err, &e) {
		r.judgeReport(c, err)
		r.sendAs(c, from)
		return
	}
	seen := e.Text
	if e.Code != 0 {
		seen = joinWords(smtpreply.Reply{Code: e.Code, Enhanced: e.Enhanced, Lines: []string{e.Text}}.String())
	} else if e.Err != nil {
		seen = e.Err.Error()
	}
	r.judgeMessage(c, e.Diagnosis, seen)
	r.sendAs(c, from)
}

func joinWords(s string) string { return strings.Join(strings.Fields(s), " ") }

// judgeReport reads the reply out of an error's text, as it comes from the agent.
func (r *runner) judgeReport(c *Check, err error) {
	text := err.Error()
	for i := 0; i+3 < len(text); i++ {
		rep, ok := replyIn(text[i:])
		if !ok || i > 0 && text[i-1] != ' ' && text[i-1] != '(' && text[i-1] != '"' {
			continue
		}
		if d := diagnose.Reply("body", rep.Code, rep.Enhanced, rep.Text()); d.Cause != "" {
			r.judgeMessage(c, d, strings.TrimRight(text[i:], ")")) // the text before it says the same
			return
		}
	}
	c.fail(Temporary, "message", text, "o365-sendmail send-test "+r.o.SendTo+" tries again; journalctl -t o365-sendmail has the log")
}

func replyIn(text string) (smtpreply.Reply, bool) {
	r, ok := smtpreply.Parse(text)
	return r, ok && r.Negative() && r.Enhanced != ""
}

func (r *runner) judgeMessage(c *Check, d diagnose.Diagnosis, seen string) {
	r.judge(c, d, seen)
	if d.Key != "mailbox-permission" {
		return
	}
	v := r.values()
	if t := r.tenantReport(); t != nil && t.get("mode") == "done" && t.get("way") == diagnose.WayAPI &&
		t.get("full_access") == "yes" {
		r.tenantIsRight(c, ": "+c.Seen)
		return
	}
	switch {
	case r.way() == diagnose.WayScoped && r.claims.HasRole(roleSendAsApp):
		c.Key, c.Hint = "permission-not-needed", "Entra admin center > App registrations > your app > API permissions: remove "+roleSendAsApp+", which asks for mailbox permissions that the scoped role does without"
	case r.way() == diagnose.WayAPI || r.way() == "" && r.claims.HasRole(roleSendAsApp):
		c.Hint = setup.GrantMailbox(v)
	}
}
