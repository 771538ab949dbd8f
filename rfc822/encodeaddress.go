package rfc822

import "strings"

// encodeAddresses returns the value of an address field with display names, group
// names and comments in ASCII. smtputf8 tells that an addr-spec is not ASCII: it stays as it
// is, unless it is not UTF-8 either and so can't be an address.
func encodeAddresses(value, own string) (out string, smtputf8 bool) {
	var b strings.Builder
	l := newLexer(value)
	var toks []token
	for {
		it, ok := l.item(toks)
		if !ok {
			return b.String(), smtputf8
		}
		toks = it.toks
		if isASCII(value[it.from:it.to]) {
			b.WriteString(value[it.from:it.to])
		} else {
			smtputf8 = it.encode(&b, value, own) || smtputf8
		}
		if it.mark != 0 {
			b.WriteByte(it.mark)
		}
	}
}

// encode writes the item in ASCII, but for its addr-spec. What is no address can say nothing that
// needs SMTPUTF8: it is text.
func (it item) encode(b *strings.Builder, s, own string) (smtputf8 bool) {
	if it.overflow {
		b.WriteString(" " + encodeWords(strings.TrimSpace(s[it.from:it.to]), own))
		return false
	}
	words := 0 // tokens that are a name
	var at span
	if it.group || !it.hasAt(s) && it.angle() < 0 {
		words = len(it.toks)
	} else {
		var err error
		if _, at, err = it.mailbox(s); err != nil {
			b.WriteString(encodeText(s[it.from:it.to], own))
			return false
		}
		words = max(it.angle(), 0)
	}
	it.encodeName(b, s, own, it.toks[:words])
	for _, t := range it.toks[words:] {
		text := s[t.from:t.to]
		if t.space {
			b.WriteByte(' ')
		}
		switch {
		case isASCII(text):
			b.WriteString(text)
		case t.kind == tokComment:
			b.WriteString(encodeComment(text, own))
		case t.to > at.from && t.from < at.to:
			b.WriteString(text)
			smtputf8 = true
		case !isInvisible(text):
			b.WriteString(encodeWords(text, own))
		}
	}
	return smtputf8
}

func (it item) hasAt(s string) bool {
	for _, t := range it.toks {
		if t.kind == tokWord && strings.IndexByte(s[t.from:t.to], '@') >= 0 {
			return true
		}
	}
	return false
}

// encodeName writes a display name or group name, its comments behind it.
func (it item) encodeName(b *strings.Builder, s, own string, words []token) {
	if len(words) == 0 {
		return
	}
	if isASCII(s[words[0].from:words[len(words)-1].to]) {
		b.WriteString(s[it.from:words[len(words)-1].to])
		return
	}
	if name := rawPhrase(s, words); name != "" {
		b.WriteString(" " + encodePhrase(name, own))
	}
	for _, t := range words {
		if t.kind == tokComment {
			b.WriteString(" " + encodeComment(s[t.from:t.to], own))
		}
	}
}
