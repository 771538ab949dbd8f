package submit

import (
	"encoding/base64"
	"fmt"
	"strings"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
)

const authCommand = "AUTH XOAUTH2"

// signIn signs in with XOAUTH2, or prepares to do so with the first message.
func (s *Session) signIn(token string) error {
	if !s.ext.offersAuth("XOAUTH2") {
		return s.cfg.fault(PhaseAuth, diagnose.FaultNoXOAUTH2,
			fmt.Errorf("it offers %q", strings.Join(s.ext.Auth, " ")))
	}
	blob := base64.StdEncoding.EncodeToString([]byte("user=" + s.cfg.User + "\x01auth=Bearer " + token + "\x01\x01"))
	s.secrets = []string{token, blob}
	inline := len(authCommand)+len(" \r\n")+len(blob) <= s.cfg.InitialResponseLimit
	if inline && s.cfg.PipelineAuth && s.ext.Pipelining && s.ext.Chunking {
		s.pendingAuth = []byte(authCommand + " " + blob + "\r\n")
		return nil
	}
	return s.authenticate(blob, inline)
}

// authenticate sends the token, in the AUTH line or after the server's 334.
func (s *Session) authenticate(blob string, inline bool) error {
	if inline {
		r, err := s.authLine(authCommand + " " + blob)
		// 500 means that the line was too long for this server (RFC 4954 section 4).
		if err != nil || r.Code != 500 {
			return s.authResult(r, err)
		}
	}
	r, err := s.authLine(authCommand)
	if err != nil || r.Code != 334 {
		return s.authResult(r, err)
	}
	return s.authResult(s.authLine(blob))
}

func (s *Session) authLine(line string) (smtpreply.Reply, error) {
	s.trace('>', line)
	if err := s.write(append(append(s.out[:0], line...), "\r\n"...)); err != nil {
		return smtpreply.Reply{}, err
	}
	return s.read(s.cfg.CommandTimeout)
}

// authResult judges the reply to the token. A 334 here is not a challenge but an error in
// JSON, which wants an empty line before the final reply comes. After that no "*"
// is due: the exchange is over.
func (s *Session) authResult(r smtpreply.Reply, err error) error {
	if err != nil {
		return s.cfg.ioError(PhaseAuth, err)
	}
	if r.Code == 334 {
		challenge := s.decodeChallenge(r)
		if r, err = s.authLine(""); err != nil {
			return s.cfg.ioError(PhaseAuth, err)
		}
		return s.authVerdict(r, challenge)
	}
	return s.authVerdict(r, "")
}

// authVerdict judges the last reply to AUTH. The text of a challenge before it goes into
// the error, because it says more than the reply does.
func (s *Session) authVerdict(r smtpreply.Reply, challenge string) error {
	switch {
	case r.Code == 235:
		return nil
	case !r.Negative():
		return s.cfg.ioError(PhaseAuth, smtpreply.Broken("%d in answer to AUTH", r.Code))
	case challenge == "":
		return s.cfg.replyError(PhaseAuth, authCommand, r)
	}
	r.Lines = append(r.Lines, "("+challenge+")")
	e := s.cfg.replyError(PhaseAuth, authCommand, r)
	e.Diagnosis.RefreshToken = true
	return e
}

// decodeChallenge returns the text of an error challenge.
func (s *Session) decodeChallenge(r smtpreply.Reply) string {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Text()))
	if err != nil || len(text) == 0 {
		return "a challenge that is not an error"
	}
	return printable.Clean(s.redact(printable.Line(string(text))))
}
