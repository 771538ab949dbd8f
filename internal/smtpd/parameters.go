package smtpd

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/smtpreply"
	"o365-sendmail/rfc822"
)

// sender reads the argument of MAIL; own is set when this program's own client sends it. A sender without a domain is
// at the host.
func (s *session) sender(arg string) (from string, o *smtp.MailOptions, own bool, err error) {
	path, params, err := splitPath(arg, "MAIL FROM:")
	if err != nil {
		return "", nil, false, err
	}
	host := s.o.Host
	if host == "" {
		host = "localhost"
	}
	if path != "" { // else it is the null sender
		if from, err = address(path, host, 7); err != nil {
			return "", nil, false, err
		}
	}
	o = &smtp.MailOptions{}
	err = eachParameter(params, func(key, value string) error {
		if key == envelope.RecipientsKeyword && value == "" && s.o.MaxOwnRecipients > 0 {
			own = true
			return nil
		}
		return s.mailParameter(o, key, value)
	})
	return from, o, own, err
}

// mailParameter reads a parameter of MAIL (RFC 1870, 3030, 3461, 4954, 6152, 6531).
func (s *session) mailParameter(o *smtp.MailOptions, key, value string) error {
	ok := true
	switch key {
	case "SIZE":
		n, err := strconv.ParseUint(value, 10, 63)
		ok = err == nil || errors.Is(err, strconv.ErrRange)
		if o.Size = int64(n); ok && (err != nil || s.o.MaxSize > 0 && o.Size > s.o.MaxSize) {
			return s.tooLarge()
		}
	case "BODY":
		o.Body = smtp.BodyType(strings.ToUpper(value))
		ok = o.Body == smtp.Body7Bit || o.Body == smtp.Body8BitMIME
	case "SMTPUTF8":
		o.UTF8, ok = true, value == ""
	case "RET":
		o.Return = smtp.DSNReturn(strings.ToUpper(value))
		ok = o.Return == smtp.DSNReturnFull || o.Return == smtp.DSNReturnHeaders
	case "ENVID":
		o.EnvelopeID, ok = xtext(value)
		ok = ok && printable.IsASCII(value)
	case "AUTH": // who sends it has not signed in here: it says nothing (RFC 4954 5)
		_, ok = xtext(value)
	default:
		return unknown(key)
	}
	return valid(ok, key)
}

// recipient reads the argument of RCPT. A bare name is at localhost.
func recipient(arg string) (to string, o *smtp.RcptOptions, err error) {
	path, params, err := splitPath(arg, "RCPT TO:")
	if err != nil {
		return "", nil, err
	}
	if to, err = address(path, "localhost", 3); err != nil {
		return "", nil, err
	}
	o = &smtp.RcptOptions{}
	return to, o, eachParameter(params, func(key, value string) error { return rcptParameter(o, key, value) })
}

// rcptParameter reads a parameter of RCPT (RFC 3461).
func rcptParameter(o *smtp.RcptOptions, key, value string) error {
	ok := true
	switch key {
	case "NOTIFY":
		o.Notify, ok = notify(value)
	case "ORCPT":
		kind, text, _ := strings.Cut(value, ";")
		o.OriginalRecipientType = smtp.DSNAddressType(strings.ToUpper(kind))
		o.OriginalRecipient, ok = xtext(text)
		ok = ok && kind != "" && printable.IsASCII(kind)
	default:
		return unknown(key)
	}
	return valid(ok, key)
}

// notify reads the conditions of a delivery report (RFC 3461 4.1).
func notify(value string) (list []smtp.DSNNotify, ok bool) {
	for word := range strings.SplitSeq(strings.ToUpper(value), ",") {
		n := smtp.DSNNotify(word)
		if condition(n) == 0 || slices.Contains(list, n) {
			return nil, false
		}
		list = append(list, n)
	}
	return list, len(list) == 1 || !slices.Contains(list, smtp.DSNNotifyNever)
}

// eachParameter calls read with the parameters of a command (RFC 5321 4.1.2), the keys in upper case. None may come
// twice.
func eachParameter(params string, read func(key, value string) error) error {
	var seen []string
	for word := range strings.FieldsSeq(params) {
		key, value, _ := strings.Cut(word, "=")
		key = strings.ToUpper(key)
		if slices.Contains(seen, key) {
			return refusal(501, arguments, "the parameter "+key+" is given twice")
		}
		seen = append(seen, key)
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

func valid(ok bool, key string) error {
	if !ok {
		return refusal(501, arguments, "invalid value of the parameter "+key)
	}
	return nil
}

func unknown(key string) error {
	return refusal(555, arguments, "unknown parameter "+key)
}

// splitPath takes the argument of a command, "MAIL FROM:" or "RCPT TO:", apart: the keyword, "<path>" or "path",
// parameters.
func splitPath(arg, command string) (path, params string, err error) {
	wrong := refusal(501, arguments, "the syntax is "+command+"<address>")
	_, keyword, _ := strings.Cut(command, " ")
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) || printable.HasControl(arg) {
		return "", "", wrong
	}
	path = strings.TrimLeft(arg[len(keyword):], " ")
	bracketed, ok := strings.CutPrefix(path, "<")
	if !ok {
		if path, params, _ = strings.Cut(path, " "); path == "" {
			return "", "", wrong
		}
		return path, params, nil
	}
	end := smtpreply.PathEnd(bracketed)
	if end < 0 || end+1 < len(bracketed) && bracketed[end+1] != ' ' {
		return "", "", wrong
	}
	return bracketed[:end], bracketed[end+1:], nil
}

// address reads a path as an addr-spec; one without a domain is at the host. what goes into the code of a refusal:
// 3 for recipients, 7 for senders (RFC 3463 3.2).
func address(path, host string, what int) (string, error) {
	if strings.HasPrefix(path, "@") { // source route (RFC 5321 appendix C): to be ignored
		_, path, _ = strings.Cut(path, ":")
	}
	a, err := rfc822.ParseAddress(path)
	if err == nil && (a.Display != "" || a.Local == "") {
		err = errors.New("not an address")
	}
	if err != nil {
		return "", refusal(501, smtp.EnhancedCode{5, 1, what}, err.Error())
	}
	if a.Domain == "" {
		a.Domain = host
	}
	return a.Addr(), nil
}

// xtext decodes. What it means must be printable; the form of RFC 6533 for UTF-8 is left as it is.
func xtext(s string) (string, bool) {
	text, ok := envelope.ParseXtext(s)
	return text, ok && text != "" && utf8.ValidString(text) && !printable.HasControl(text)
}
