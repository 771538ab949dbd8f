package agent

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"o365-sendmail/internal/agent/protocol"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/sender"
	"o365-sendmail/rfc822"
)

// handler takes the messages of one connection.
type handler struct {
	a     *Agent
	who   envelope.Caller
	local bool
	guest *guest
}

func (a *Agent) exitCode(err error) int { return deliver.ExitCode(err) }

// Begin keeps to the bound on messages a minute.
func (h *handler) Begin() error {
	err := h.a.limits.message(h.guest, h.a.rules.Load().config)
	if err != nil {
		h.a.logRefused(h.guest.who, "refused", err)
	}
	return err
}

// Recipient knows local names; while the configuration is broken it knows nothing and
// lets everybody through.
func (h *handler) Recipient(addr string) error {
	r := h.a.rules.Load()
	if r.fault != nil {
		return nil
	}
	_, err := r.intake.Resolve(addr, false)
	return err
}

// Message takes a message by the rules in force.
func (h *handler) Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message, o protocol.Options) (envelope.Receipt, error) {
	patient, err := h.a.limits.begin(h.guest, h.a.rules.Load().config)
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer h.a.limits.end(h.guest)
	env.Caller, env.Mode = h.who, o.Mode
	if !patient {
		// Connections are short: the message goes to the queue at once, and the next can come.
		if env.Mode == deliver.ModeInteractive || env.Mode == "" && h.a.rules.Load().config.Delivery.Mode == deliver.ModeInteractive {
			env.Mode = deliver.ModeBackground
		}
		if err := h.a.taking.wait(ctx, h.guest); err != nil {
			return envelope.Receipt{}, busy("stopped before the message was taken: %w", err)
		}
		defer h.a.taking.done(h.guest)
	}
	from, size, id := env.Sender, msg.Body().Size, messageID(msg.Header)
	if o.DotCut {
		h.a.note(env, msg.Header, protocol.DotCutText)
	}
	receipt, err := h.take(ctx, env, msg, o)
	h.log(receipt, err, from, len(env.Recipients), size, id, o.Tag)
	return receipt, err
}

func (h *handler) take(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message, o protocol.Options) (envelope.Receipt, error) {
	r := h.a.rules.Load()
	if r.fault != nil {
		h.a.keeper.RLock()
		defer h.a.keeper.RUnlock()
		if r = h.a.rules.Load(); r.fault != nil {
			return h.a.keep(ctx, r, env, msg, o)
		}
	}
	if !o.Partial && len(env.Recipients) > 1 && env.Mode != deliver.ModeQueue {
		// A reply can't tell this client who was refused: the queue will, by mail.
		env.Mode = deliver.ModeBackground
	}
	return h.a.process(ctx, r, env, msg, o)
}

// process applies the rules to a message and hands it on.
func (a *Agent) process(ctx context.Context, r *rules, env *envelope.Envelope, msg *rfc822.Message, o protocol.Options) (envelope.Receipt, error) {
	who := env.Caller
	for i := range env.Recipients {
		// SMTP has no bare names: this is how the client and the server write them.
		addr := &env.Recipients[i].Address
		*addr = strings.TrimSuffix(*addr, "@localhost")
	}
	refused, err := r.intake.Accept(env, msg, intake.Caller{
		User: sender.Caller{Name: who.User, UID: strconv.Itoa(who.UID)}, Via: who.Via, NoAliases: o.NoAliases, Hops: o.Hops,
		Note: func(text string) { a.note(env, msg.Header, text) },
	})
	if err != nil {
		return envelope.Receipt{Refused: refused}, err
	}
	wire, err := r.intake.Wire(env, msg)
	if err != nil {
		return envelope.Receipt{}, err
	}
	receipt, err := a.submit.Submit(ctx, env, wire)
	receipt.Refused = append(refused, receipt.Refused...)
	return receipt, err
}

// note logs what was guessed in a message, or lost of it.
func (a *Agent) note(env *envelope.Envelope, h *rfc822.Header, text string) {
	a.log.Log(maillog.Notice, "", "uid", env.Caller.UID, "from", "<"+env.Sender+">", "message-id", messageID(h), "", text)
}

func messageID(h *rfc822.Header) string {
	id, _ := h.Get("Message-ID")
	return id
}

// log writes the line that says who handed in what. The deliveries have lines of their own.
func (h *handler) log(r envelope.Receipt, err error, from string, recipients int, size int64, messageID, tag string) {
	status, text := "delivered", r.Reply
	p := maillog.Info
	switch {
	case err != nil && errors.Is(err, context.Canceled):
		p, status, text = maillog.Notice, "stopped", err.Error()
	case err != nil:
		p, status, text = maillog.Notice, "refused", err.Error()
	case r.Queued:
		status, text = "queued", ""
	}
	fields := []any{"uid", h.who.UID, "user", h.who.User, "from", "<" + from + ">", "size", size, "nrcpt", recipients}
	for _, f := range [...]struct{ name, value string }{{"message-id", messageID}, {"tag", tag}} {
		if f.value != "" {
			fields = append(fields, f.name, f.value)
		}
	}
	if !h.local {
		fields = append(fields, "client", h.who.Via)
	}
	if n := len(r.Refused); n > 0 {
		fields = append(fields, "nrefused", n)
	}
	fields = append(fields, "status", status)
	if err != nil {
		ok, left := h.a.limits.mayLog(h.guest.who, h.a.rules.Load().config)
		if !ok {
			return
		}
		if left > 0 {
			fields = append(fields, "left-out", left)
		}
	}
	if text != "" {
		fields = append(fields, "", text)
	}
	h.a.log.Log(p, r.QueueID, fields...)
}
