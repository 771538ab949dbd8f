package emulator

import (
	"bytes"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// startTLS answers STARTTLS and makes the handshake (RFC 3207).
func (s *session) startTLS(arg string) error {
	if s.tls != nil || !s.offers("STARTTLS") {
		return s.unknown("STARTTLS")
	}
	if strings.TrimSpace(arg) != "" {
		return s.conclude("501 5.5.4 Invalid arguments")
	}
	agreed := false
	err := s.answer("starttls", "STARTTLS", func() string {
		agreed = true
		return "220 2.0.0 SMTP server ready"
	})
	if err != nil || !agreed {
		return err
	}
	if s.r.Buffered() > 0 {
		// RFC 3207 4.2: nothing said before TLS may count after it.
		s.note("plain text after STARTTLS, discarded")
		_, _ = s.r.Discard(s.r.Buffered())
	}
	if err := s.flush(); err != nil {
		return err
	}
	if f := s.e.fire("tls", ""); f != nil {
		if err := s.scriptedTLS(f); err != nil {
			return err
		}
	}
	return s.handshake()
}

// scriptedTLS delays or spoils a handshake.
func (s *session) scriptedTLS(f *Rule) error {
	if f.Drip > 0 {
		s.wire.drip.Store(int64(f.Drip))
	}
	if err := s.wait(f.Delay); err != nil {
		return err
	}
	if f.Reply != "" {
		_, _ = s.wire.Write([]byte(f.Reply)) // the connection ends here anyway
	}
	if f.Then != "" || f.Reply != "" {
		s.note("scripted: no handshake")
		return s.wire.cut(f.Then)
	}
	return nil
}

func (s *session) handshake() error {
	config := &tls.Config{GetCertificate: s.e.smtpCertificate, MinVersion: tls.VersionTLS10}
	st := s.e.current()
	if st.Network.OldTLS {
		config.MaxVersion = tls.VersionTLS11
	}
	// Tickets that outlive one session need keys that do.
	config.SetSessionTicketKeys([][32]byte{s.e.ticketKey})
	before := s.wire.turns.Load()
	t := tls.Server(s.wire, config)
	_ = s.wire.SetDeadline(time.Now().Add(time.Minute))
	if err := t.Handshake(); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	_ = s.wire.SetDeadline(time.Time{})
	state := t.ConnectionState()
	s.tlsTurns = s.wire.turns.Load() - before
	if state.Version >= tls.VersionTLS13 && s.tlsTurns > 1 {
		s.tlsTurns-- // the session ticket, which no client waits for
	}
	s.tls = t
	s.setBuffers(t)
	s.abort()
	s.helo = ""
	s.note(tls.VersionName(state.Version))
	s.e.count(func(st *Stats) {
		st.TLS[tls.VersionName(state.Version)]++
		if state.DidResume {
			st.TLSResumed++
		}
	})
	return nil
}

// tooOld reports whether the handshake's version is below what Exchange Online takes.
func (s *session) tooOld() bool {
	least := uint16(tls.VersionTLS12)
	if s.e.current().Exchange.MinTLS == "1.3" {
		least = tls.VersionTLS13
	}
	return s.tls != nil && s.tls.ConnectionState().Version < least
}

// auth answers AUTH (RFC 4954), whose credentials no transcript shows.
func (s *session) auth(arg string) error {
	mech, initial, has := strings.Cut(strings.TrimSpace(arg), " ")
	switch {
	case s.helo == "":
		return s.conclude("503 5.5.2 Send hello first " + s.tag())
	case s.tooOld():
		return s.conclude("421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to " +
			"support TLS 1.2. Visit https://aka.ms/smtp_auth_tls. " + s.tag())
	case s.claims != nil:
		return s.conclude("503 5.5.2 Already authenticated " + s.tag()) // assumed
	case s.mail != nil:
		return s.conclude("503 5.5.2 Mail transaction in progress " + s.tag()) // assumed
	}
	mech = strings.ToUpper(mech)
	if s.tls == nil || mech != "XOAUTH2" && mech != "LOGIN" || !s.offers("AUTH") {
		return s.conclude("504 5.7.4 Unrecognized authentication type " + s.tag())
	}
	if mech == "LOGIN" {
		return s.authLogin(initial, has)
	}
	if !has {
		var err error
		if initial, err = s.challenge(""); err != nil {
			return err
		}
	}
	return s.answer("auth", mech, func() string { return s.xoauth2(initial) })
}

// challenge sends a 334 and reads the answer.
func (s *session) challenge(prompt string) (string, error) {
	s.reply("334 " + prompt)
	line, err := s.readLine(maxAuth)
	if err != nil {
		return "", err
	}
	s.note("C: " + redacted)
	return strings.TrimRight(line, "\r\n"), nil
}

// authLogin is Basic authentication, which is switched off but for mailboxes that have a
// password.
func (s *session) authLogin(initial string, has bool) error {
	var answers []string
	if has && initial != "" {
		answers = append(answers, initial)
	}
	for _, p := range []string{"VXNlcm5hbWU6", "UGFzc3dvcmQ6"}[len(answers):] {
		line, err := s.challenge(p)
		if err != nil {
			return err
		}
		if line == "*" {
			return s.conclude("501 5.7.0 Authentication cancelled") // assumed
		}
		answers = append(answers, line)
	}
	return s.answer("auth", "LOGIN", func() string {
		if reply, why := s.basic(answers[0], answers[1]); reply != "" {
			return s.denied(reply+" "+s.tag(), why)
		}
		return s.signedIn()
	})
}

// basic signs a mailbox in by its password. It returns the refusal, without tag, and why.
func (s *session) basic(user64, password64 string) (reply, why string) {
	user, err := base64.StdEncoding.Strict().DecodeString(user64)
	password, err2 := base64.StdEncoding.Strict().DecodeString(password64)
	if err != nil || err2 != nil {
		return replyBasicOff, "basic authentication; the answer is not base64"
	}
	id, tenant, address := "", (*Tenant)(nil), ""
	for i, t := range s.e.current().Tenants {
		if a, m := t.mailbox(string(user)); m != nil {
			id, tenant, address = i, t, a
		}
	}
	if tenant == nil {
		return replyBasicOff, "basic authentication; no such mailbox"
	}
	box := tenant.Mailboxes[address]
	if box.Password == "" {
		return replyBasicOff, "basic authentication"
	}
	if !box.exists() || subtle.ConstantTimeCompare(password, []byte(box.Password)) != 1 {
		return replyAuthFailed, "wrong password"
	}
	if reply := policy(tenant, box); reply != "" {
		return reply, "sign-in policy"
	}
	s.user, s.tenant, s.claims = address, id, &claims{TenantID: id, IDType: "user", UPN: address}
	return "", ""
}

// xoauth2 judges the client's answer and signs it in.
func (s *session) xoauth2(answer string) string {
	if answer == "*" {
		return "501 5.7.0 Authentication cancelled" // assumed
	}
	user, token, err := parseXOAUTH2(answer)
	if err != nil {
		return s.denied("535 5.7.3 Authentication unsuccessful "+s.tag(), err.Error())
	}
	if reply, why := s.e.signIn(user, token); reply != "" {
		return s.denied(reply+" "+s.tag(), why)
	} else if err := s.admit(user, token); err != nil {
		return s.denied("535 5.7.3 Authentication unsuccessful "+s.tag(), err.Error())
	}
	return s.signedIn()
}

// signedIn counts the session against the limit of the mailbox, and answers AUTH.
func (s *session) signedIn() string {
	st := s.e.current()
	if held := s.e.hold(s, s.user, st.Limits.Connections); !held && st.Limits.ConnectionsAt == "auth" {
		s.claims = nil
		return s.tooManyConnections()
	}
	s.e.count(func(st *Stats) { st.SignIns++ })
	return "235 2.7.0 Authentication successful"
}

// admit notes who signed in.
func (s *session) admit(user, token string) error {
	st := s.e.current()
	c, err := s.e.open(token, s.e.entraNow(st))
	if err != nil {
		return err
	}
	tenant := st.Tenants[c.TenantID]
	if tenant == nil {
		return errors.New("tenant is gone")
	}
	s.user, _ = tenant.mailbox(user)
	s.tenant, s.claims = c.TenantID, c
	return nil
}

// denied delays a refusal as Microsoft does, and writes down why.
func (s *session) denied(reply, why string) string {
	s.note("why: " + why)
	if s.e.current().Exchange.ChallengeErrors {
		const failure = `{"status":"400","schemes":"Bearer","scope":"https://outlook.office365.com/"}`
		if _, err := s.challenge(base64.StdEncoding.EncodeToString([]byte(failure))); err != nil {
			return ""
		}
	}
	if s.wait(time.Duration(s.e.current().Exchange.Tarpit)) != nil {
		return ""
	}
	return reply
}

func (s *session) tooManyConnections() string {
	if s.e.current().Limits.OldConnectionText {
		return "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded " + s.hostTag()
	}
	return "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more " +
		"information. " + s.hostTag()
}

// parseXOAUTH2 takes the blob apart:
// base64("user=" mailbox ^A "auth=Bearer " token ^A ^A), nothing more or less.
func parseXOAUTH2(answer string) (user, token string, err error) {
	blob, err := base64.StdEncoding.Strict().DecodeString(answer)
	if err != nil {
		return "", "", errors.New("the answer is not base64")
	}
	parts := bytes.Split(blob, []byte{1})
	if len(parts) != 4 || len(parts[2]) != 0 || len(parts[3]) != 0 {
		return "", "", errors.New("the answer is not user=...^Aauth=Bearer ...^A^A")
	}
	u, okUser := strings.CutPrefix(string(parts[0]), "user=")
	t, okToken := strings.CutPrefix(string(parts[1]), "auth=Bearer ")
	if !okUser || !okToken || u == "" || t == "" {
		return "", "", errors.New("the answer is not user=...^Aauth=Bearer ...^A^A")
	}
	return u, t, nil
}
