package rfc822

import (
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
	l := newLexer(s)
	var toks []token
	for {
		it, ok := l.item(toks)
		if !ok {
			return
		}
		toks = it.toks
		if it.group || len(it.toks) == 0 || it.onlyComments() {
			continue
		}
		a, err := it.address(s)
		if !each(a, err) {
			return
		}
	}
}

func (it item) onlyComments() bool {
	for _, t := range it.toks {
		if t.kind != tokComment {
			return false
		}
	}
	return true
}

// address reads the item as a mailbox.
func (it item) address(s string) (Address, error) {
	if hasLineEnd(s[it.from:it.to]) {
		return Address{}, it.wrong(s, "it has a line end or a NUL")
	}
	spec, _, err := it.spec(s)
	if err != nil {
		return Address{}, it.wrong(s, err.Error())
	}
	local, domain, problem := parseAddrSpec(spec)
	if problem != "" {
		return Address{}, it.wrong(s, problem)
	}
	a := Address{Local: local, Domain: domain}
	if len(a.Addr()) > maxAddress {
		return Address{}, it.wrong(s, fmt.Sprintf("it is longer than %d octets", maxAddress))
	}
	a.Display, a.encoded = it.display(s)
	return a, nil
}

// hasLineEnd tells whether s has a NUL, or a CR or LF that is not part of a fold.
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
	errEmptyAngle = errors.New("it is empty")
	errRoute      = errors.New("its source route is wrong")
)

// spec returns the item's addr-spec without comments and source route, and where in
// s a missing domain belongs.
func (it item) spec(s string) (spec string, localEnd int, err error) {
	if it.overflow {
		return "", 0, errTooLong
	}
	toks := it.toks
	if i := it.angle(); i >= 0 {
		t := toks[i]
		for _, other := range toks[i+1:] {
			if other.kind == tokAngle {
				return "", 0, errTwo
			}
		}
		if toks, err = angleTokens(s, t); err != nil {
			return "", 0, err
		}
	}
	if toks, err = dropRoute(s, toks); err != nil {
		return "", 0, err
	}
	return join(s, toks)
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
	l := newLexer(s[:t.to-1])
	l.pos = t.from + 1
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

// join puts the tokens of an addr-spec together, without its comments.
func join(s string, toks []token) (spec string, end int, err error) {
	var parts []string
	space := false // since the last part
	for _, t := range toks {
		space = space || t.space
		if t.kind == tokComment {
			continue
		}
		if space && len(parts) > 0 {
			return "", 0, errSpace
		}
		space = false
		parts = append(parts, s[t.from:t.to])
		end = t.to
	}
	return strings.Join(parts, ""), end, nil
}

// display returns the item's display name, or else its first comment, as sendmail's
// own From fields have it. encoded is set when it could not be decoded.
func (it item) display(s string) (name, encoded string) {
	words := it.toks[:max(it.angle(), 0)]
	if name, encoded = phrase(s, words); name != "" {
		return name, encoded
	}
	for _, t := range it.toks {
		if t.kind == tokComment {
			return decodeText(Unquote(`"` + unfold(s[t.from+1:t.to-1]) + `"`)), ""
		}
	}
	return "", ""
}
