package emulator

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command runs one command line.
func (s *session) command(raw string) error {
	line := strings.TrimRight(raw, "\r\n")
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	s.note("C: " + showCommand(verb, arg))
	if !strings.HasSuffix(raw, "\r\n") && s.e.current().Strict.LineEnds {
		return s.unknown("a line without CRLF")
	}
	switch verb {
	case "EHLO", "HELO":
		return s.answer("ehlo", line, func() string { return s.ehlo(verb, arg) })
	case "STARTTLS":
		return s.startTLS(arg)
	case "AUTH":
		return s.auth(arg)
	case "MAIL":
		return s.answer("mail", line, func() string { return s.mailFrom(arg) })
	case "RCPT":
		return s.answer("rcpt", line, func() string { return s.rcptTo(arg) })
	case "DATA":
		return s.data(arg)
	case "BDAT":
		return s.bdat(arg)
	case "RSET":
		return s.answer("rset", line, func() string { s.abort(); return "250 2.0.0 Resetting" })
	case "NOOP":
		return s.answer("noop", line, func() string { return "250 2.0.0 OK" })
	case "VRFY":
		return s.conclude("252 2.1.5 Cannot VRFY user")
	case "HELP":
		return s.conclude("214-This server supports the following commands:\n214 HELO EHLO STARTTLS RCPT DATA RSET " +
			"MAIL QUIT HELP AUTH BDAT")
	case "QUIT":
		return s.quit()
	}
	return s.unknown(verb)
}

// showCommand is a command as the transcript shows it.
func showCommand(verb, arg string) string {
	switch verb {
	case "AUTH":
		mech, _, has := strings.Cut(arg, " ")
		if has {
			mech += " " + redacted
		}
		return strings.TrimSpace(verb + " " + mech)
	case "EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "HELP", "QUIT":
		return strings.TrimSpace(verb + " " + arg)
	}
	// It may be a credential that lost its way.
	return shortVerb(verb) + " [unknown command]"
}

func shortVerb(verb string) string { return printable(verb[:min(len(verb), 16)]) }

func (s *session) unknown(verb string) error {
	return s.answer("unknown", verb, func() string {
		if s.wait(time.Duration(s.e.current().Exchange.Tarpit)) != nil {
			return ""
		}
		return fmt.Sprintf("500 5.3.3 Unrecognized command '%s' %s", shortVerb(verb), s.tag())
	})
}

func (s *session) quit() error {
	err := s.answer("quit", "QUIT", func() string {
		s.e.release(s)
		return "221 2.0.0 Service closing transmission channel"
	})
	if err == nil {
		err = errEnd
	}
	return err
}

// ehlo answers EHLO and HELO; a new one ends a transaction (RFC 5321 4.1.4).
func (s *session) ehlo(verb, arg string) string {
	arg = strings.TrimSpace(arg)
	if !validHelo(arg) {
		return "501 5.5.4 Invalid domain name"
	}
	s.abort()
	s.helo = arg
	hello := fmt.Sprintf("%s Hello [%s]", s.e.Host, hostOf(s.wire.RemoteAddr()))
	if verb == "HELO" {
		return "250 " + hello
	}
	st := s.e.current()
	security := "STARTTLS"
	if s.tls != nil {
		security = "AUTH LOGIN XOAUTH2"
	}
	lines := []string{hello}
	for _, l := range []string{
		"SIZE " + strconv.FormatInt(st.Exchange.Size, 10), "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", security,
		"8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8",
	} {
		keyword, _, _ := strings.Cut(l, " ")
		if !slices.Contains(st.Exchange.Without, keyword) {
			lines = append(lines, l)
		}
	}
	return "250-" + strings.Join(lines[:len(lines)-1], "\n250-") + "\n250 " + lines[len(lines)-1]
}

func (s *session) offers(keyword string) bool {
	return !slices.Contains(s.e.current().Exchange.Without, keyword)
}

// validHelo accepts a domain or an address literal (RFC 5321 4.1.1.1).
func validHelo(arg string) bool {
	if rest, ok := strings.CutPrefix(arg, "["); ok {
		literal, ok := strings.CutSuffix(rest, "]")
		if v6, is6 := strings.CutPrefix(literal, "IPv6:"); is6 {
			return ok && net.ParseIP(v6) != nil
		}
		return ok && net.ParseIP(literal).To4() != nil
	}
	for label := range strings.SplitSeq(arg, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return len(arg) <= 255
}
