package agent

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/unprocessed"
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
		return err
	}
	h.a.lookAtAliases()
	return nil
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
func (h *handler) Message(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message,
	o envelope.Options) (envelope.Receipt, error) {
	patient, err := h.a.limits.begin(h.guest, h.a.rules.Load().config)
	if err != nil {
		return envelope.Receipt{}, err
	}
	defer h.a.limits.end(h.guest)
	env.Caller, env.Mode = h.who, o.Mode
	if !patient {
		// Connections are short: the message goes to the queue at once, and the next can come.
		if env.Mode == deliver.ModeInteractive ||
			env.Mode == "" && h.a.rules.Load().config.Delivery.Mode == deliver.ModeInteractive {
			env.Mode = deliver.ModeBackground
		}
		if err := h.a.taking.wait(ctx, h.guest); err != nil {
			return envelope.Receipt{}, busy("stopped before the message was taken: %w", err)
		}
		defer h.a.taking.done(h.guest)
	}
	in := deliver.HandIn{Tag: o.Tag, MayLog: func() (bool, int) {
		return h.a.limits.mayLog(h.guest.who, h.a.rules.Load().config)
	}}
	if o.Altered {
		msg.MarkAltered()
	}
	if o.DotCut {
		in.Note = envelope.DotCutText
	}
	if !h.local {
		in.Client = h.who.Via
	}
	r := h.a.rules.Load()
	if r.fault != nil {
		h.a.keeper.RLock()
		defer h.a.keeper.RUnlock()
		if r = h.a.rules.Load(); r.fault != nil {
			return h.a.engine.Keep(env, msg, in, func() error {
				return unprocessed.Keep(ctx, h.a.spool, env, msg, o, r.reason())
			})
		}
	}
	if !o.Partial && len(env.Recipients) > 1 && env.Mode != deliver.ModeQueue {
		// A reply can't tell this client who was refused: the queue will, by mail.
		env.Mode = deliver.ModeBackground
	}
	bareNames(env)
	in.Accept = func(note func(string)) (envelope.Message, []envelope.Refusal, error) {
		return r.intake.Prepare(env, msg, h.caller(o, note))
	}
	return h.a.engine.HandIn(ctx, env, msg, in)
}

// bareNames takes away what stands for no domain: SMTP has no bare names, and the client and the server write them so.
func bareNames(env *envelope.Envelope) {
	for i := range env.Recipients {
		addr := &env.Recipients[i].Address
		*addr = strings.TrimSuffix(*addr, "@localhost")
	}
}

func (h *handler) caller(o envelope.Options, note func(string)) intake.Caller {
	return intake.Caller{
		User: intake.User{Name: h.who.User, UID: strconv.Itoa(h.who.UID)},
		Via:  h.who.Via, NoAliases: o.NoAliases, Hops: o.Hops, Note: note,
	}
}

// tail gives the end of a large message a place behind what Message is going to make of its header.
func (h *handler) tail(env *envelope.Envelope, msg *rfc822.Message, o envelope.Options, before int64) rfc822.Rest {
	r, expected := h.a.rules.Load(), *env
	if r.fault != nil {
		return nil
	}
	expected.Caller, expected.Recipients = h.who, slices.Clone(env.Recipients)
	bareNames(&expected)
	if _, err := r.intake.Accept(&expected, msg, h.caller(o, nil)); err != nil {
		return nil
	}
	wire, err := msg.Wire(rfc822.WireOptions{AsIs: true})
	if err != nil {
		return nil
	}
	return h.a.engine.Tail(&expected, wire.Size()+before)
}
