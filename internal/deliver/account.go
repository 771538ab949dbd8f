package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// Account is the way out: one application that signs in to one or more mailboxes.
// It is safe for concurrent use.
type Account struct {
	// Submit says how the server is reached; User and Token are filled in here.
	Submit submit.Config
	// Mailbox signs in when the envelope names no other.
	Mailbox string
	// Pool are mailboxes that share its work.
	Pool []string
	// Cache keeps the token that processes share, Quota their slots, their counts and what they found out.
	Cache *cache.Cache
	Quota *quota.Ledger
	// Limiter gives out the sessions and the rates; nil is the host's own, by Quota.
	Limiter quota.Limiter
	// AgentOnly is set where other hosts send as the mailbox, too, and this process can't ask them: it keeps mail for
	// the agent.
	AgentOnly bool
	// Unreachable says what delivery does while the Limiter can't tell: UnreachableWait or UnreachableShare.
	Unreachable string
	// Key names the token in the cache.
	Key cache.Key
	// Source makes the source of new tokens. It is called only when one is needed. It is nil for a relay, which knows
	// this host by Submit.Certificate.
	Source func() (xoauth.TokenSource, error)
	// Connections is how many sessions a mailbox may have at once on this host.
	Connections int
	// Senders says who chose a sender address.
	Senders Senders
	// Domains are the organization's, in lower case, as far as they are known besides the mailbox's own.
	Domains []string
	// Limits are the account's rates.
	Limits quota.Limits
	// Learn lifts the messages a minute until the server refuses one because of its rate (perMinute).
	Learn bool
	// Shares divide the limits among the local users.
	Shares queue.Shares
	// TokenTimeout bounds a delivery's wait for tokens, however many it needs; 0 for none.
	TokenTimeout time.Duration
	// Warn gets what changes the way to the server, such as that BDAT is not used for a day; nil for none.
	Warn func(error)
	// Now is the clock; nil for the system's.
	Now func() time.Time
	// Patience is how long a token is waited for in all when the endpoint asks for patience; 0 asks once.
	Patience time.Duration
	// PipelineAuth sends the sign-in in one flight with the message where a session is opened
	// for one message.
	PipelineAuth bool
	// TokenEndsSession ends a session before the token that it signed in with expires.
	TokenEndsSession bool

	chunksWork atomic.Bool // the server has taken a message by BDAT

	once   sync.Once
	source xoauth.TokenSource
	srcErr error
}

// fetch asks the token endpoint.
func (a *Account) fetch(ctx context.Context) (xoauth.Token, error) {
	a.once.Do(func() { a.source, a.srcErr = a.Source() })
	if a.srcErr != nil {
		return xoauth.Token{}, a.srcErr
	}
	return a.source.Token(ctx)
}

// NoToken is the error of who asks for the token of an account that has none.
func NoToken() error {
	return sysexits.With(sysexits.Config,
		errors.New(`with kind = "relay" there is no token: the relay signs in, and knows this host by a certificate`))
}

// Token returns a token that can be used now.
func (a *Account) Token(ctx context.Context) (xoauth.Token, error) {
	if a.Source == nil {
		return xoauth.Token{}, NoToken()
	}
	return a.token(ctx, a.fetch)
}

// AnyAge is for TokenWithin.
const AnyAge time.Duration = -1

// TokenWithin is Token, and gets a new one if that of the cache is as old as most; AnyAge takes each. When there is
// none to be had for now, an old one is better than none, unless most is 0.
func (a *Account) TokenWithin(ctx context.Context, most time.Duration) (xoauth.Token, error) {
	old, _, ok := a.Cache.Peek(a.Key)
	if !ok || most < 0 || most > 0 && a.now().Sub(old.Obtained) < most {
		return a.Token(ctx)
	}
	t, err := a.Cache.Renew(ctx, a.Key, old, a.fetch)
	if err == nil || most == 0 || ctx.Err() != nil {
		return t, err
	}
	if a.Warn != nil {
		a.Warn(fmt.Errorf("the token of %s is not renewed for now: %w", old.Obtained.UTC().Format("15:04:05 MST"), err))
	}
	return old, nil
}

// User returns the mailbox that signs in for env.
func (a *Account) User(env *envelope.Envelope) string {
	if env.SignIn != "" {
		return env.SignIn
	}
	return a.Mailbox
}

// Dial opens a session that is signed in as user. A cached token that the server
// refuses is dropped and a new one tried once, since only a new token's refusal
// proves that the set-up is wrong. No message is to begin on the session after until, unless that is zero.
func (a *Account) Dial(ctx context.Context, user string) (s *submit.Session, until time.Time, err error) {
	s, used, fresh, err := a.dialOnce(ctx, ctx, user, false)
	if !fresh && a.drop(used, err) {
		s, used, _, err = a.dialOnce(ctx, ctx, user, false)
	}
	if a.TokenEndsSession && err == nil {
		until = used.Expiry.Add(-tokenMargin)
	}
	return s, until, err
}

// tokenMargin is the time of a token's life in which no further message begins where the session ends with it.
const tokenMargin = time.Minute

// drop takes a token out of the cache whose age may be why the server refused it. A token
// that another process has just fetched counts as new.
func (a *Account) drop(used xoauth.Token, err error) bool {
	var e *submit.Error
	if used.Access.Empty() || !errors.As(err, &e) || !e.Diagnosis.RefreshToken || a.Cache.Young(used) {
		return false
	}
	a.Cache.Discard(a.Key, used)
	return true
}

// dialOnce signs in once, and tells which token it used and whether it was fetched for this.
func (a *Account) dialOnce(ctx, token context.Context, user string, pipeline bool) (s *submit.Session,
	used xoauth.Token, fresh bool, err error) {
	var mu sync.Mutex
	cfg := a.Submit
	cfg.Chunking = a.chunking()
	cfg.User, cfg.PipelineAuth = user, pipeline
	tokenFor := func(ctx context.Context) (string, error) {
		if end, ok := token.Deadline(); ok {
			var stop context.CancelFunc
			ctx, stop = context.WithDeadline(ctx, end)
			defer stop()
		}
		fetched := false
		t, err := a.token(ctx, func(ctx context.Context) (xoauth.Token, error) {
			fetched = true
			return a.fetch(ctx)
		})
		if err != nil {
			return "", err
		}
		mu.Lock()
		used, fresh = t, fetched
		mu.Unlock()
		return t.Access.Reveal(), nil
	}
	if a.Source != nil {
		cfg.Token = tokenFor
	}
	s, err = submit.Dial(ctx, cfg)
	mu.Lock()
	defer mu.Unlock()
	return s, used, fresh, err
}

// LimitError says that a limit of the account asks for a pause.
type LimitError struct {
	Mailbox string
	Until   time.Time
	What    string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s, next try at %s", e.Mailbox, e.What, e.Until.UTC().Format("15:04:05 MST"))
}

// Deliver takes a slot, waits for the account's rates, and sends one message on a
// session of its own. It is the whole of a delivery without an agent.
func (a *Account) Deliver(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (*submit.Result, error) {
	return a.deliver(ctx, ctx, ctx, env, msg)
}

// deliver is Deliver with contexts of their own for the waits before the message is named, for a
// slot, and for the rates and the token, which can be given up without doubt about the message's fate.
func (a *Account) deliver(ctx, slot, queueing context.Context, env *envelope.Envelope, msg envelope.Message) (*submit.Result, error) {
	user := a.User(env)
	own, err := a.limiter().Slot(slot, user, a.Connections)
	if unknownIn(err) != nil {
		return nil, err
	}
	if err != nil {
		return nil, &busyError{user, a.Connections, err}
	}
	defer own.Release()
	n := len(env.Recipients)
	probed, err := a.awaitProbe(queueing, user)
	if err != nil {
		return nil, err
	}
	defer probed()
	reserved, err := a.reserve(queueing, user, env.Caller.UID == 0, n)
	if err != nil {
		return nil, err
	}
	token := queueing
	if queueing == ctx && a.TokenTimeout > 0 { // nothing keeps the message
		var stop context.CancelFunc
		token, stop = context.WithTimeout(ctx, a.TokenTimeout)
		defer stop()
	}
	res, err := a.deliverOnce(ctx, token, user, env, msg)
	v := judge(n, res, err)
	a.learnPace(user, v.stop, time.Now())
	if reserved.Account != "" && v.failedAlone() {
		a.limiter().Unreserve(reserved, time.Now())
	}
	return res, err
}

// deliverOnce sends one message on a session of its own; with PipelineAuth the sign-in is in one flight with it. It
// goes again when the server refused a token of the cache, as a new one may be good, and when it refused BDAT.
func (a *Account) deliverOnce(ctx, token context.Context, user string, env *envelope.Envelope,
	msg envelope.Message) (*submit.Result, error) {
	for pipeline, left := a.PipelineAuth, 2; ; left-- {
		var res *submit.Result
		s, used, fresh, err := a.dialOnce(ctx, token, user, pipeline)
		signIn := pipeline || err != nil // that may be what the server refused
		if err == nil {
			res, err = sendFitted(ctx, s, env, msg)
			s.Close()
		}
		again := a.learn(err) && !uncertain(err) || signIn && !fresh && a.drop(used, err)
		if !again || left == 0 {
			return res, err
		}
		pipeline = false
	}
}

// busyError says that no connection got free in time.
type busyError struct {
	mailbox     string
	connections int
	err         error
}

func (e *busyError) Error() string {
	return fmt.Sprintf("no free connection for %s: all %d are in use: %v", e.mailbox, e.connections, e.err)
}

func (e *busyError) Unwrap() error { return e.err }

// reserve waits until the account's rates allow a message to so many recipients, and counts it: the zero Grant is for
// no rates. When the wait would pass the context's deadline it returns a *LimitError at once. What others have sent a
// process can't know, so that to it the reserve of root is the one share that there is.
func (a *Account) reserve(ctx context.Context, user string, root bool, recipients int) (quota.Grant, error) {
	if a.Limits == (quota.Limits{}) {
		return quota.Grant{}, nil
	}
	rank := queue.RankLight
	if root {
		rank = queue.RankRoot
	}
	for {
		r := quota.Request{Account: user, Recipients: recipients, Now: time.Now()}
		r.Limits = quota.Limits{
			MessagesPerMinute: a.Shares.Within(a.perMinute(user, r.Now), rank),
			RecipientsPerDay:  a.Shares.Within(a.Limits.RecipientsPerDay, rank),
		}
		grant, short, err := a.limiter().Reserve(ctx, r)
		if err != nil || short == nil {
			return grant, err
		}
		until := r.Now.Add(short.Wait)
		if deadline, ok := ctx.Deadline(); ok && until.After(deadline) {
			return quota.Grant{}, &LimitError{user, until, a.shortage(r, short, rank).Reason}
		}
		if err := sleep(ctx, short.Wait); err != nil {
			return quota.Grant{}, err
		}
	}
}

// mostOfDay is how many recipients of one message can go in a day, 0 for all.
func (a *Account) mostOfDay(root bool) int {
	if root {
		return a.Limits.RecipientsPerDay
	}
	return a.Shares.Within(a.Limits.RecipientsPerDay, queue.RankUser)
}
