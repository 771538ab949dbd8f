// Package unprocessed is for messages that are accepted while nobody knows the mailbox, the aliases or
// the sender rule, because the configuration can't be used. Keep puts one into the spool as it
// came: marked in its origin, on hold, its options in the private field. Process makes of
// it, by the rules in force when it leaves, what the intake makes of any message.
// The package neither sends nor decides when: the engine does, which sends no message that is not processed.
package unprocessed

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Keep commits a message as it came, under the id of its envelope. why is one line that says what is
// wrong with the configuration. Its errors carry exit codes; nothing is kept then.
func Keep(ctx context.Context, s *spool.Spool, env *envelope.Envelope, msg *rfc822.Message, o envelope.Options,
	why string) error {
	o.Partial = false
	msg.Header.Remove(envelope.OptionsField)
	o.Altered = o.Altered || msg.Body().Altered
	if v := o.Value(); v != "" {
		msg.Header.Prepend(envelope.OptionsField, v)
	}
	wire, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true, AsIs: true})
	if err != nil {
		return sysexits.With(intake.WireCode(err), err)
	}
	env.EightBit, env.SMTPUTF8, env.Origin = wire.EightBit(), wire.SMTPUTF8(), env.Sender
	p, err := s.Begin(spool.Meta{UID: env.Caller.UID, Origin: spool.Unprocessed + env.Caller.Via}, env)
	if err != nil {
		return err
	}
	defer p.Abort() // does nothing after the commit
	if err := p.Fill(ctx, wire); err != nil {
		return err
	}
	it, err := p.CommitClaimed(ctx)
	if err != nil {
		return err
	}
	// From here on the message is safe, and its origin alone keeps it from being sent. The hold tells
	// people, and a program of an older version.
	defer it.Unlock()
	_ = it.Hold(spool.NotProcessed + ", since the configuration could not be used: " + why)
	return nil
}

// Rules are what a message is processed by.
type Rules struct {
	Intake *intake.Intake
	// User names a local user, "" when it has no name.
	User func(uid int) string
	// Memory is how much of a message is held in memory before it goes to a file in TempDir.
	Memory  int
	TempDir string
	// Note gets a line for the log about the message of that queue id.
	Note func(id, text string)
}

// Process puts what the rules make of an unprocessed message in its place, and returns it, locked.
// One that nobody may get goes to failed/, where people look at it, and nil is returned; of
// one that only some may get, a copy for the others goes there first. An error leaves it where it is: trying
// again later helps.
func (r *Rules) Process(ctx context.Context, it *spool.Item) (*spool.Item, error) {
	env, msg, caller, err := r.unpack(it)
	if errors.Is(err, spool.ErrDamaged) {
		return nil, it.Quarantine(err.Error())
	}
	if err != nil {
		return nil, failFor(it, err)
	}
	defer msg.Close()
	caller.Note = func(text string) { r.Note(it.ID(), text) }
	wire, refused, err := r.Intake.Prepare(env, msg, caller)
	if err != nil {
		return nil, failFor(it, err)
	}
	if err := setAside(ctx, it, refused); err != nil {
		return nil, err
	}
	return it.Replace(ctx, env, wire)
}

// failFor gives up a message whose error does not pass without anybody touching the message.
func failFor(it *spool.Item, err error) error {
	if passes(err) {
		return err
	}
	return it.Fail(err.Error())
}

// passes reports whether an error may pass by itself or by an administrator's hand.
func passes(err error) bool { return smtpreply.StatusOf(deliver.ExitCode(err)).Code < 500 }

// setAside keeps the message for those whom the rules refuse. A crash before the rest is replaced
// leaves a copy in failed/ that is made again.
func setAside(ctx context.Context, it *spool.Item, refused []envelope.Refusal) error {
	var all []envelope.Recipient
	for _, f := range refused {
		if passes(f.Err) {
			return f.Err
		}
		for _, rcpt := range it.Envelope().Recipients {
			if local(rcpt.Address) == f.Address {
				all = append(all, rcpt)
				break
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return it.SetAside(ctx, all, refused[0].Err.Error())
}

// local is a recipient as the caller wrote it: SMTP has no bare names.
func local(addr string) string { return strings.TrimSuffix(addr, "@localhost") }

// unpack makes of a message what a session would have handed in.
func (r *Rules) unpack(it *spool.Item) (*envelope.Envelope, *rfc822.Message, intake.Caller, error) {
	f, err := it.Message().Open()
	if err != nil {
		return nil, nil, intake.Caller{}, err
	}
	defer f.Close()
	msg, err := rfc822.Read(f, rfc822.ReadOptions{Memory: r.Memory, TempDir: r.TempDir})
	if tooLarge := (*rfc822.TooLargeError)(nil); errors.As(err, &tooLarge) {
		err = sysexits.With(sysexits.DataErr, err)
	}
	if err != nil {
		return nil, nil, intake.Caller{}, err
	}
	var options envelope.Options
	if v, ok := msg.Header.Get(envelope.OptionsField); ok {
		options = envelope.ParseOptions(v)
		msg.Header.Remove(envelope.OptionsField)
	}
	if options.Altered {
		msg.MarkAltered()
	}
	meta, env := it.Meta(), *it.Envelope()
	env.Recipients = nil
	for _, i := range it.Todo() {
		rcpt := it.Envelope().Recipients[i]
		rcpt.Address = local(rcpt.Address)
		env.Recipients = append(env.Recipients, rcpt)
	}
	user := intake.User{UID: strconv.Itoa(meta.UID), Name: meta.Host()}
	if meta.UID >= 0 && r.User != nil {
		user.Name = r.User(meta.UID)
	}
	return &env, msg, intake.Caller{
		User: user, Via: strings.TrimPrefix(meta.Origin, spool.Unprocessed), NoAliases: options.NoAliases,
		Hops: options.Hops,
	}, nil
}
