package smtpd

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/agentproto"
	"o365-sendmail/rfc822"
)

// answers are the commands that the filter answers itself: the library refuses HELP, and
// the others are Sendmail's own, which old callers of sendmail -bs begin with.
var answers = [...]struct{ verb, reply string }{
	{"HELP", "214-2.0.0 commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n214 2.0.0 see sendmail(8)\r\n"},
	{"VERB", "250 2.0.0 ok\r\n"},
	{"ONEX", "250 2.0.0 ok\r\n"},
	{"XUSR", "250 2.0.0 ok\r\n"},
}

// known are the commands that the library answers. It gives a session up at the fourth that it does not
// know, for which the filter has a limit of its own.
var known = [...]string{
	"BDAT", "DATA", "EHLO", "EXPN", "HELO", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "VRFY", "AUTH", "STARTTLS", "TURN",
	"SEND", "SOML", "SAML",
}

// answer returns the reply to a command that the library does not get to see. maxSize is the limit on a
// message, 0 for none.
func answer(line []byte, maxSize int64) (reply string, ok bool) {
	for _, a := range answers {
		if verb(line, a.verb) {
			return a.reply, true
		}
	}
	if !slices.ContainsFunc(known[:], func(name string) bool { return verb(line, name) }) {
		return "500 5.5.2 command not recognized\r\n", true
	}
	if verb(line, "MAIL") && maxSize > 0 && declaredSize(line) > maxSize {
		return tooLarge(maxSize), true
	}
	return "", false
}

// declaredSize returns the parameter SIZE of a MAIL command (RFC 1870 6), 0 for none or one that is
// no number.
func declaredSize(line []byte) int64 {
	at := bytes.LastIndexByte(line, '>')
	for _, word := range bytes.Fields(line[at+1:]) {
		value, ok := bytes.CutPrefix(bytes.ToUpper(word), []byte("SIZE="))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			return n // of more digits than there are in an int64, the largest one
		}
	}
	return 0
}

func tooLarge(maxSize int64) string {
	status, err := agentproto.TooLarge, rfc822.TooLargeError{What: "message", Limit: maxSize}
	return status.String() + " " + err.Error() + "\r\n"
}

// verb reports whether line is the command name, alone or with arguments.
func verb(line []byte, name string) bool {
	return len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name) &&
		(len(line) == len(name) || line[len(name)] == ' ')
}

// rewrite turns the path of MAIL and RCPT into one that the library takes and gives back
// unchanged. A bare name sends from host and gets mail at localhost. A path that is none is
// left out, so that the library refuses the command.
func rewrite(line []byte, host string) []byte {
	for _, c := range [...]struct {
		verb, key, domain string
		null              bool
	}{{"MAIL", "FROM:", host, true}, {"RCPT", "TO:", "localhost", false}} {
		if !verb(line, c.verb) {
			continue
		}
		arg := strings.TrimLeft(string(line[len(c.verb):]), " \t")
		if len(arg) < len(c.key) || !strings.EqualFold(arg[:len(c.key)], c.key) {
			return line
		}
		path, params, ok := splitPath(strings.TrimLeft(arg[len(c.key):], " \t"))
		if ok {
			path, ok = canonical(path, c.domain, c.null)
		}
		if !ok {
			return []byte(c.verb + " " + c.key)
		}
		return []byte(c.verb + " " + c.key + path + params)
	}
	return line
}

// splitPath takes "<path> parameters" or "path parameters" apart. The brackets go; the
// parameters keep the blank in front of them.
func splitPath(s string) (path, params string, ok bool) {
	bracket := strings.HasPrefix(s, "<")
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", "", false
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case bracket && c == '>':
			rest := s[i+1:]
			return s[1:i], rest, rest == "" || rest[0] == ' ' || rest[0] == '\t'
		case !bracket && (c == ' ' || c == '\t'):
			return s[:i], s[i:], true
		}
	}
	return s, "", !bracket && !quoted && s != ""
}

// canonical returns the path for the library: in angle brackets, a bare name with the
// domain, a quoted local part quoted once more since the library takes one pair off.
func canonical(path, domain string, null bool) (string, bool) {
	if path == "" {
		return "<>", null
	}
	if strings.HasPrefix(path, "@") { // source route (RFC 5321 appendix C): to be ignored
		if _, path, _ = strings.Cut(path, ":"); path == "" {
			return "", false
		}
	}
	a, err := rfc822.ParseAddress(path)
	if err != nil || a.Display != "" || a.Local == "" {
		return "", false
	}
	if a.Domain == "" {
		a.Domain = domain
	}
	addr := a.Addr()
	at := strings.LastIndexByte(addr, '@')
	local := addr[:at]
	if strings.HasPrefix(local, `"`) {
		local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	}
	return "<" + local + addr[at:] + ">", true
}

// chunk returns how many octets follow a BDAT command, by the rules of the library: it
// reads none behind a command that it can't parse.
func chunk(line []byte) (size int64, last, ok bool) {
	if !verb(line, "BDAT") {
		return 0, false, false
	}
	args := bytes.Fields(line[len("BDAT"):])
	if len(args) < 1 || len(args) > 2 {
		return 0, false, false
	}
	last = len(args) == 2
	if last && !bytes.EqualFold(args[1], []byte("LAST")) {
		return 0, false, false
	}
	n, err := strconv.ParseUint(string(args[0]), 10, 32)
	return int64(n), last, err == nil
}
