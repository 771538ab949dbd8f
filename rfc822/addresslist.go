package rfc822

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// maxAddresses bounds the addresses and errors that one call returns.
const maxAddresses = 50_000

// ParseAddressList parses the value of an address field (RFC 5322 3.4), or a list as people write
// it: commas or semicolons between the items, empty items, groups, comments, source
// routes and bare local names are all understood. Each bad address gives
// an *AddressError and harms no other.
func ParseAddressList(s string) ([]Address, []error) {
	var list []Address
	var errs []error
	parseList(s, func(a Address, err error) bool {
		if err != nil {
			errs = append(errs, err)
		} else {
			list = append(list, a)
		}
		if len(list)+len(errs) < maxAddresses {
			return true
		}
		errs = append(errs, fmt.Errorf("more than %d addresses", maxAddresses))
		return false
	})
	return list, errs
}

// ParseAddress parses one mailbox or addr-spec, such as a command-line argument.
func ParseAddress(s string) (Address, error) {
	var found []Address
	var failed error
	parseList(s, func(a Address, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		found = append(found, a)
		return len(found) < 2
	})
	switch {
	case failed != nil:
		return Address{}, failed
	case len(found) == 0:
		return Address{}, &AddressError{Text: s, Problem: "it is empty"}
	case len(found) > 1:
		return Address{}, &AddressError{Text: s, Problem: "it is more than one address"}
	}
	return found[0], nil
}

// parseList calls each for every mailbox of s until it returns false.
func parseList(s string, each func(Address, error) bool) {
	parseItems(newLexer(s), s, false, each)
}

// parseItems parses what the lexer has left. A list between angle brackets, such as <a,b>, is one
// of mailboxes; inAngle says that the lexer reads one.
func parseItems(l *lexer, s string, inAngle bool, each func(Address, error) bool) (more bool) {
	var toks []token
	for {
		it, ok := l.item(toks)
		if !ok {
			return true
		}
		toks = it.toks
		if it.group || it.isEmpty(s) {
			continue
		}
		if inner := it.angleList(s); inner != nil && !inAngle {
			if !parseItems(inner, s, true, each) {
				return false
			}
			continue
		}
		if a, err := it.address(s); !each(a, err) {
			return false
		}
	}
}

// isEmpty reports whether the item has nothing but comments and blanks.
func (it item) isEmpty(s string) bool {
	for _, t := range it.toks {
		if t.kind != tokComment && !isInvisible(s[t.from:t.to]) {
			return false
		}
	}
	return true
}

// angleList returns a lexer for the text between the item's angle brackets when it is a list, and
// not a source route; else nil.
func (it item) angleList(s string) *lexer {
	i := it.angle()
	if i < 0 {
		return nil
	}
	toks, err := angleTokens(s, it.toks[i])
	if err != nil || s[toks[0].from] == '@' {
		return nil
	}
	for _, t := range toks {
		if t.kind == tokMark && s[t.from] != ':' {
			return newLexerOf(s, it.toks[i].from+1, it.toks[i].to-1)
		}
	}
	return nil
}

// address reads the item as a mailbox.
func (it item) address(s string) (Address, error) {
	a, _, err := it.mailbox(s)
	return a, err
}

// mailbox is address, and says where in s the addr-spec stands.
func (it item) mailbox(s string) (Address, span, error) {
	if hasLineEnd(s[it.from:it.to]) {
		return Address{}, span{}, it.wrong(s, "it has a line end or a NUL")
	}
	spec, at, err := it.spec(s)
	if err != nil {
		return Address{}, span{}, it.wrong(s, err.Error())
	}
	local, domain, problem := parseAddrSpec(spec)
	if problem == "" && domain == "" {
		problem = notLocalName(local, at)
	}
	if problem != "" {
		return Address{}, span{}, it.wrong(s, problem)
	}
	at.dot = domain != "" && strings.HasSuffix(spec, ".")
	a := Address{Local: local, Domain: domain}
	if len(a.Addr()) > maxAddress {
		return Address{}, span{}, it.wrong(s, fmt.Sprintf("it is longer than %d bytes", maxAddress))
	}
	a.Display = it.display(s)
	return a, at, nil
}

// notLocalName says why a text without a domain is not the name of a local user: it is a display
// name, or part of one. "" means that it may be one.
func notLocalName(local string, at span) string {
	switch {
	case at.apart:
		return errSpace.Error()
	case strings.IndexByte(local, '@') >= 0:
		return "it has no domain: its at sign is part of a quoted name"
	case !isASCII(local):
		return "it is a name without an address"
	case strings.HasPrefix(local, "=?") && strings.HasSuffix(local, "?="):
		return "it is an encoded name without an address (RFC 2047 5)"
	}
	return ""
}

// hasLineEnd reports whether s has a NUL, or a CR or LF that is not part of a fold.
func hasLineEnd(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == 0 || (c == '\r' || c == '\n') && !isSpace(s, i) {
			return true
		}
	}
	return false
}

func (it item) wrong(s, problem string) error {
	return &AddressError{Text: strings.Trim(s[it.from:it.to], " \t\r\n"), Problem: problem}
}

var (
	errTooLong    = errors.New("it is too long")
	errTwo        = errors.New("it is more than one address")
	errSpace      = errors.New("it has a space outside quotes")
	errComment    = errors.New("it has a comment in the middle of a word")
	errEmptyAngle = errors.New("it is empty")
	errRoute      = errors.New("its source route is wrong")
)

// span is where an addr-spec stands.
type span struct {
	from, to int
	blanks   bool // there are blanks in it or, of other scripts, around it
	dot      bool // a dot ends it, which goes
	apart    bool // it is of words with blanks between them
}

// spec returns the item's addr-spec without blanks, comments and source route.
func (it item) spec(s string) (spec string, at span, err error) {
	if it.overflow {
		return "", span{}, errTooLong
	}
	toks, begin := it.toks, -1 // where a scheme or route begins, which goes
	if i := it.angle(); i >= 0 {
		t := toks[i]
		for _, other := range toks[i+1:] {
			if other.kind == tokAngle || other.kind == tokWord && isAddrSpec(s[other.from:other.to]) {
				return "", span{}, errTwo
			}
		}
		if toks, err = angleTokens(s, t); err != nil {
			return "", span{}, err
		}
		if len(toks) > 2 && s[toks[1].from:toks[1].to] == ":" && isScheme(s[toks[0].from:toks[0].to]) {
			begin, toks = toks[0].from, toks[2:]
		}
	}
	rest, err := dropRoute(s, toks)
	if err != nil {
		return "", span{}, err
	}
	if begin < 0 && len(rest) < len(toks) && s[toks[0].from] == '@' {
		begin = toks[0].from
	}
	if spec, at, err = join(s, rest); err == nil && begin >= 0 {
		at.from, at.blanks = begin, true
	}
	return spec, at, err
}

// isAddrSpec reports whether a word is an address with a domain.
func isAddrSpec(word string) bool {
	_, domain, problem := parseAddrSpec(word)
	return problem == "" && domain != ""
}

// angle returns the index of the first token in angle brackets, -1 if there is none.
func (it item) angle() int {
	for i, t := range it.toks {
		if t.kind == tokAngle {
			return i
		}
	}
	return -1
}

// angleTokens returns the tokens between angle brackets.
func angleTokens(s string, t token) ([]token, error) {
	l := newLexerOf(s, t.from+1, t.to-1)
	var toks []token
	for {
		t, ok := l.next()
		switch {
		case !ok && len(toks) == 0:
			return nil, errEmptyAngle
		case !ok:
			return toks, nil
		case len(toks) == maxTokens:
			return nil, errTooLong
		}
		toks = append(toks, t)
	}
}

// dropRoute drops a source route, "@a,@b:" (RFC 5321 F.2).
func dropRoute(s string, toks []token) ([]token, error) {
	for len(toks) > 0 && toks[0].kind == tokComment {
		toks = toks[1:]
	}
	if len(toks) == 0 || s[toks[0].from] != '@' {
		return toks, nil
	}
	for i, t := range toks {
		if t.to-t.from == 1 && s[t.from] == ':' {
			return toks[i+1:], nil
		}
	}
	return nil, errRoute
}

// join puts the tokens of an addr-spec together. Blanks and comments may stand around an at
// sign or a dot only (RFC 5322 4.4): elsewhere to leave them out would make another address.
func join(s string, toks []token) (spec string, at span, err error) {
	var b strings.Builder
	var gap error // why the next part must not touch the last one
	for _, t := range toks {
		if t.space {
			gap = errSpace
		}
		if t.kind == tokComment {
			gap = cmp.Or(gap, errComment)
			continue
		}
		for part, blank := range visibleParts(s[t.from:t.to], t.kind) {
			if blank != 0 {
				at.blanks, gap = true, fmt.Errorf("it has the blank %U", blank)
			}
			switch {
			case part == "":
				continue
			case b.Len() == 0:
				at.from = t.from
			case gap != nil && !touches(b.String(), part):
				return "", span{}, gap
			case gap != nil && gap != errComment:
				at.blanks, at.apart = true, true
			}
			gap = nil
			b.WriteString(part)
			at.to = t.to
		}
	}
	return b.String(), at, nil
}

// touches reports whether blanks between two parts of an addr-spec mean nothing.
func touches(before, after string) bool {
	last, first := before[len(before)-1], after[0]
	return last == '.' || last == '@' || first == '.' || first == '@'
}

// display returns the item's display name, or else its first comment, as sendmail's
// own From fields have it.
func (it item) display(s string) string {
	angle := it.angle()
	for _, words := range [...][]token{it.toks[:max(angle, 0)], it.toks[angle+1:]} {
		if angle < 0 {
			break
		}
		if name := phrase(s, words); name != "" {
			return trimInvisible(name)
		}
	}
	for _, t := range it.toks {
		if t.kind == tokComment {
			return decodeText(Unquote(`"` + unfold(s[t.from+1:t.to-1]) + `"`))
		}
	}
	return ""
}
