package emulator

import (
	"fmt"
	"strconv"
	"strings"
)

// transaction is what MAIL began.
type transaction struct {
	env     Envelope
	content *content
	chunked bool // BDAT was used
	failed  bool // a chunk was refused: only RSET, MAIL-after-RSET and QUIT help
}

// abort ends a transaction without a message.
func (s *session) abort() {
	if s.mail != nil && s.mail.content != nil {
		s.mail.content.drop()
	}
	s.mail = nil
}

// param is one ESMTP parameter, keyword in upper case.
type param struct{ key, value string }

// mailFrom answers MAIL (RFC 5321 4.1.1.2).
func (s *session) mailFrom(arg string) string {
	st := s.e.current()
	switch {
	case s.helo == "":
		return "503 5.5.2 Send hello first " + s.tag()
	case s.tls == nil:
		return "451 5.7.3 STARTTLS is required to send mail " + s.tag()
	case s.claims == nil:
		return "530 5.7.57 Client not authenticated to send mail. " + s.tag()
	case s.mail != nil:
		return "503 5.5.2 Sender already specified " + s.tag()
	}
	if st.Limits.ConnectionsAt == "mail" && !s.e.hold(s, s.user, st.Limits.Connections) {
		return s.tooManyConnections()
	}
	address, params, err := s.path(arg, "FROM:")
	if err != nil {
		return "501 5.5.4 Invalid arguments " + s.tag()
	}
	env := Envelope{From: address, Size: -1, SignIn: s.user, AppID: s.claims.AppID, Helo: s.helo, Session: s.number, Remote: s.wire.RemoteAddr().String()}
	env.TLS = s.tlsVersion()
	if reply := s.mailParams(&env, params); reply != "" {
		return reply + " " + s.tag()
	}
	if address != "" && !validAddress(address, env.SMTPUTF8) {
		return "501 5.1.7 Invalid address " + s.tag()
	}
	if reply := s.volumeSender(address); reply != "" {
		return reply
	}
	s.mail = &transaction{env: env}
	return "250 2.1.0 Sender OK"
}

// mailParams reads SIZE, BODY, SMTPUTF8 (RFC 1870, 6152, 3030, 6531), RET, ENVID (RFC
// 3461) and AUTH (RFC 4954).
func (s *session) mailParams(env *Envelope, params string) string {
	env.Params = params
	list, ok := parseParams(params)
	if !ok {
		return "501 5.5.4 Invalid arguments"
	}
	for _, p := range list {
		switch value := strings.ToUpper(p.value); p.key {
		case "SIZE":
			n, err := strconv.ParseInt(p.value, 10, 64)
			if err != nil || n < 0 {
				return "501 5.5.4 Invalid arguments"
			}
			if limit := s.e.current().Exchange.Size; limit > 0 && n > limit {
				return replySize
			}
			env.Size = n
		case "BODY":
			if value != "7BIT" && value != "8BITMIME" && value != "BINARYMIME" {
				return "501 5.5.4 Invalid arguments"
			}
			env.Body = value
		case "SMTPUTF8":
			env.SMTPUTF8 = true
		case "RET":
			if value != "FULL" && value != "HDRS" {
				return "501 5.5.4 Invalid arguments"
			}
			env.Ret = value
		case "ENVID":
			if env.EnvID, ok = decodeXtext(p.value); !ok || p.value == "" || len(p.value) > 100 {
				return "501 5.5.4 Invalid arguments"
			}
		case "AUTH":
		default:
			if s.e.current().Strict.Syntax {
				return "501 5.5.4 Unrecognized parameter"
			}
		}
	}
	return ""
}

// rcptTo answers RCPT (RFC 5321 4.1.1.3). Unknown recipients are taken: Exchange
// Online bounces them later.
func (s *session) rcptTo(arg string) string {
	st := s.e.current()
	switch {
	case s.helo == "":
		return "503 5.5.2 Send hello first " + s.tag()
	case s.mail == nil || s.mail.chunked:
		return "503 5.5.2 Need mail command " + s.tag()
	}
	address, params, err := s.path(arg, "TO:")
	if err != nil {
		return "501 5.5.4 Invalid arguments " + s.tag()
	}
	if !validAddress(address, s.mail.env.SMTPUTF8) {
		return "501 5.1.3 Invalid address " + s.tag()
	}
	r := Recipient{Address: address, Params: params}
	if !s.rcptParams(&r, params) {
		return "501 5.5.4 Invalid arguments " + s.tag()
	}
	if reply := recipientReply(st, address); reply != "" {
		return reply + " " + s.tag()
	}
	if reply := s.volumeRecipient(st, address); reply != "" {
		return reply
	}
	if st.Limits.Recipients > 0 && len(s.mail.env.To) >= st.Limits.Recipients {
		return "452 4.5.3 Too many recipients " + s.tag()
	}
	s.mail.env.To = append(s.mail.env.To, address)
	s.mail.env.Recipients = append(s.mail.env.Recipients, r)
	return "250 2.1.5 Recipient OK"
}

// rcptParams reads NOTIFY and ORCPT (RFC 3461 4.1, 4.2).
func (s *session) rcptParams(r *Recipient, params string) bool {
	list, ok := parseParams(params)
	for _, p := range list {
		switch p.key {
		case "NOTIFY":
			r.Notify = strings.ToUpper(p.value)
			if !validNotify(r.Notify) {
				return false
			}
		case "ORCPT":
			kind, text, found := strings.Cut(p.value, ";")
			decoded, good := decodeXtext(text)
			if !found || kind == "" || !good || len(p.value) > 500 {
				return false
			}
			r.ORcpt = kind + ";" + decoded
		default:
			if s.e.current().Strict.Syntax {
				return false
			}
		}
	}
	return ok
}

func validNotify(v string) bool {
	seen := map[string]bool{}
	for word := range strings.SplitSeq(v, ",") {
		switch word {
		case "NEVER", "SUCCESS", "FAILURE", "DELAY":
		default:
			return false
		}
		if seen[word] {
			return false
		}
		seen[word] = true
	}
	return !seen["NEVER"] || len(seen) == 1
}

// recipientReply looks an address up in State.Recipients.
func recipientReply(st *State, address string) string {
	address = strings.ToLower(address)
	if reply := st.Recipients[address]; reply != "" {
		return reply
	}
	for pattern, reply := range st.Recipients {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(address, strings.ToLower(prefix)) {
			return reply
		}
	}
	return ""
}

// path reads "FROM:<address> params"; the address comes without brackets.
func (s *session) path(arg, keyword string) (address, params string, err error) {
	bad := fmt.Errorf("no path after %s", keyword)
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", "", bad
	}
	arg = arg[len(keyword):]
	if !s.e.current().Strict.Syntax {
		arg = strings.TrimLeft(arg, " ")
	}
	if !strings.HasPrefix(arg, "<") {
		return "", "", bad
	}
	quoted := false
	for i := 1; i < len(arg); i++ {
		switch c := arg[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			rest := arg[i+1:]
			if rest != "" && rest[0] != ' ' {
				return "", "", bad
			}
			return arg[1:i], strings.TrimSpace(rest), nil
		}
	}
	return "", "", bad
}

// parseParams splits "KEY=value KEY"; a key may stand there once.
func parseParams(s string) ([]param, bool) {
	var out []param
	seen := map[string]bool{}
	for word := range strings.FieldsSeq(s) {
		key, value, has := strings.Cut(word, "=")
		key = strings.ToUpper(key)
		if key == "" || seen[key] || has && value == "" {
			return nil, false
		}
		seen[key] = true
		out = append(out, param{key, value})
	}
	return out, true
}

// decodeXtext decodes RFC 3461 4's "+3D" and refuses what should have been encoded.
func decodeXtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < '!' || c > '~' || c == '=':
			return "", false
		case c != '+':
			b.WriteByte(c)
		default:
			if i+2 >= len(s) || strings.ToUpper(s[i+1:i+3]) != s[i+1:i+3] {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), true
}
