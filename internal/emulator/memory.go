package emulator

import (
	"slices"
	"time"
)

// memory is what the service remembers between requests; Emulator.mu guards it.
type memory struct {
	live           map[string]bool          // uti of tokens that are not revoked
	opaque         map[string]claims        // tokens of personal accounts
	jti            map[string]time.Time     // assertions seen, until their end
	requests       map[string][]time.Time   // token requests by client
	sent           map[string][]sending     // by mailbox
	errors         map[errorKey][]time.Time // that count, within their window
	throttled      map[errorKey]time.Time   // until when
	flaps          int
	devices        map[string]*device   // by device code
	refresh        map[string]*refreshT // by refresh token
	arcKeys        map[string]string    // key -> file
	identityHeader string
}

// sending is one accepted message.
type sending struct {
	at         time.Time
	recipients int
}

func newMemory() memory {
	return memory{
		live: map[string]bool{}, opaque: map[string]claims{}, jti: map[string]time.Time{},
		requests: map[string][]time.Time{},
		sent:     map[string][]sending{}, errors: map[errorKey][]time.Time{}, throttled: map[errorKey]time.Time{},
		devices: map[string]*device{}, refresh: map[string]*refreshT{}, arcKeys: map[string]string{},
	}
}

// issue makes an access token. Tokens of personal accounts are opaque, as Microsoft's
// are to everybody else.
func (e *Emulator) issue(c claims, size int) string {
	personal := c.TenantID == PersonalTenant
	token := "EwB" + randomText(max(size-3, 1))
	if !personal {
		token = signToken(c, size)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.TokensIssued++
	e.memory.live[c.UTI] = true
	if personal {
		e.memory.opaque[token] = c
	}
	return token
}

// open returns the claims of an access token that is good now.
func (e *Emulator) open(token string, now time.Time) (*claims, error) {
	e.mu.Lock()
	c, personal := e.memory.opaque[token]
	e.mu.Unlock()
	found := &c
	err := c.inTime(now)
	if !personal {
		found, err = verifyToken(token, now)
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.memory.live[found.UTI] {
		return nil, errToken
	}
	return found, nil
}

// RevokeTokens makes all access tokens issued so far worthless at SMTP AUTH.
func (e *Emulator) RevokeTokens() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.memory.live)
}

// requestLoop notes a token request and reports whether the client has made too many
// within 5 minutes.
func (e *Emulator) requestLoop(client string, limit int, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	recent := newer(e.memory.requests[client], now.Add(-5*time.Minute))
	e.memory.requests[client] = append(recent, now)
	return limit > 0 && len(recent) >= limit
}

func newer(ts []time.Time, than time.Time) []time.Time {
	i := 0
	for i < len(ts) && !ts[i].After(than) {
		i++
	}
	return ts[i:]
}

// ForgetSent forgets what was sent and refused, so that rate and daily limits start again and nobody is throttled.
func (e *Emulator) ForgetSent() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.memory.sent)
	clear(e.memory.errors)
	clear(e.memory.throttled)
}

// book enters a message among what a mailbox has sent, unless that passes a limit: wait
// is then how long until the per-minute limit has room, full whether the day's
// recipients are used up. Limits of 0 are none.
func (e *Emulator) book(mailbox string, recipients, perMinute, perDay int, now time.Time) (wait time.Duration,
	full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if perMinute <= 0 && perDay <= 0 { // to look through all of them would make each cost more than the last
		e.memory.sent[mailbox] = append(e.memory.sent[mailbox], sending{now, recipients})
		return 0, false
	}
	sent := slices.DeleteFunc(e.memory.sent[mailbox],
		func(s sending) bool { return !s.at.After(now.Add(-24 * time.Hour)) })
	today := recipients
	var minute []time.Time
	for _, s := range sent {
		today += s.recipients
		if s.at.After(now.Add(-time.Minute)) {
			minute = append(minute, s.at)
		}
	}
	e.memory.sent[mailbox] = sent
	switch {
	case perDay > 0 && today > perDay:
		return 0, true
	case perMinute > 0 && len(minute) >= perMinute:
		return minute[len(minute)-perMinute].Add(time.Minute).Sub(now), false
	}
	e.memory.sent[mailbox] = append(sent, sending{now, recipients})
	return 0, false
}

// hold takes one of limit places of a mailbox for a connection. Connections whose peer
// is gone hold none.
func (e *Emulator) hold(s *session, mailbox string, limit int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.holds == mailbox {
		return true
	}
	n := 0
	for other := range e.sessions {
		if other != s && other.holds == mailbox && !other.wire.peerGone() {
			n++
		}
	}
	if limit > 0 && n >= limit {
		return false
	}
	s.holds = mailbox
	return true
}

// release gives the connection's place back, before the client hears of it.
func (e *Emulator) release(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.holds, s.over = "", true
}

// flap alternates.
func (e *Emulator) flap() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.memory.flaps++
	return e.memory.flaps%2 == 0
}
