package direct

import (
	"bytes"
	"context"
	"io"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// MailBack tells the sender by mail which recipients were refused for good, as -oem asks: cron throws
// standard error away. It returns those of whom nobody was told. What may pass later is among them,
// since the caller keeps the message.
func (p *Process) MailBack(ctx context.Context, o *cmdline.Options, d *route.Draft, refused []envelope.Refusal) (
	untold []envelope.Refusal) {
	to := host.UserByID(p.UID).Name
	if o.Sender != nil {
		to = *o.Sender
	}
	if to == "" {
		return refused // a report on a report would never end
	}
	r := notify.Report{
		Action: notify.Failed, From: "MAILER-DAEMON@" + host.Name(), To: []string{to}, Host: host.Name(),
		Now: p.Now(), Arrived: p.Now(), Envelope: d.Envelope,
	}
	var rest []envelope.Refusal
	for _, f := range refused {
		if final(f.Err) {
			fate := notify.Fate{To: envelope.Recipient{Address: f.Address}, Err: f.Err}
			r.Recipients = append(r.Recipients, fate.Explain())
		} else {
			rest = append(rest, f)
		}
	}
	if len(r.Recipients) == 0 {
		return refused
	}
	if d.Message != nil {
		if wire, err := d.Message.Wire(rfc822.WireOptions{AllowEightBit: true}); err == nil {
			r.Message = wire
		}
	}
	_, msg, err := notify.Build(&r)
	if err != nil || p.sendReport(ctx, o, to, msg) != nil {
		return refused
	}
	return rest
}

// final reports whether a refusal will not pass by waiting or by an administrator's hand.
func final(err error) bool {
	switch deliver.ExitCode(err) {
	case sysexits.Usage, sysexits.DataErr, sysexits.NoUser, sysexits.NoHost, sysexits.Unavailable, sysexits.NoPerm:
		return deliver.Class(err) != diagnose.Configuration
	}
	return false
}

// sendReport sends a report of the program's own with the null sender.
func (p *Process) sendReport(ctx context.Context, o *cmdline.Options, to string, report envelope.Message) error {
	body, err := report.Open()
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(body) // bounded by notify.Build
	if err != nil {
		return err
	}
	msg, err := rfc822.FromWire(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	defer msg.Close()
	way := cmdline.Options{Mode: cmdline.ModeDeliver, Config: o.Config, Tag: o.Tag}
	r, err := p.OpenRoute(ctx, &way)
	if err != nil {
		return err
	}
	defer r.Close()
	env := &envelope.Envelope{Recipients: []envelope.Recipient{{Address: to}}}
	_, err = r.Send(ctx, &route.Draft{Envelope: env, Message: msg})
	return err
}
