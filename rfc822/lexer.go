package rfc822

import "strings"

// tokenKind tells the tokens of an address list apart (RFC 5322 3.2).
type tokenKind uint8

const (
	tokWord    tokenKind = iota // atoms, dots, at signs and whatever else is not one of the others
	tokQuoted                   // "..."
	tokComment                  // (...), nested
	tokLiteral                  // [...]
	tokAngle                    // <...>
	tokMark                     // one of , ; :
)

// token is a piece s[from:to] of an address list s.
type token struct {
	kind     tokenKind
	space    bool // white space stands before it
	from, to int
}

// maxTokens bounds the tokens of one item; an item with more is not an address.
const maxTokens = 1000

// lexer cuts an address list into tokens and items. A quote, parenthesis or bracket
// that is never closed is an ordinary character, so that it spoils one item only.
type lexer struct {
	s   string
	pos int

	lastAngle   int // no '>' from here on
	lastLiteral int // no ']' from here on
}

func newLexer(s string) *lexer { return newLexerOf(s, 0, len(s)) }

// newLexerOf returns a lexer for s[from:to], whose positions are those in s. It looks at nothing before: a list has
// thousands of such pieces.
func newLexerOf(s string, from, to int) *lexer {
	in := s[from:to]
	return &lexer{s: s[:to], pos: from, lastAngle: from + strings.LastIndexByte(in, '>'),
		lastLiteral: from + strings.LastIndexByte(in, ']')}
}

// next returns the next token; ok is false at the end.
func (l *lexer) next() (t token, ok bool) {
	for l.pos < len(l.s) && isSpace(l.s, l.pos) {
		t.space = true
		l.pos++
	}
	if l.pos == len(l.s) {
		return t, false
	}
	t.from = l.pos
	t.kind, t.to = l.tokenAt(l.pos)
	l.pos = t.to
	return t, true
}

// isSpace reports whether s[i] is white space: a blank, or a line end that a blank follows.
func isSpace(s string, i int) bool {
	switch s[i] {
	case ' ', '\t':
		return true
	case '\r':
		return i+2 < len(s) && s[i+1] == '\n' && isBlank(s[i+2])
	case '\n':
		return i > 0 && s[i-1] == '\r' && i+1 < len(s) && isBlank(s[i+1])
	}
	return false
}

func (l *lexer) tokenAt(i int) (tokenKind, int) {
	switch l.s[i] {
	case ',', ';', ':':
		return tokMark, i + 1
	case '"':
		if end := quotedEnd(l.s, i); end > 0 {
			return tokQuoted, end
		}
	case '(':
		if end := commentEnd(l.s, i); end > 0 {
			return tokComment, end
		}
	case '<':
		if end := l.angleEnd(i); end > 0 {
			return tokAngle, end
		}
	case '[':
		if end := l.literalEnd(i); end > 0 {
			return tokLiteral, end
		}
	case '=':
		if end := wordAt(l.s, i); end > 0 {
			return tokWord, end
		}
	}
	return tokWord, l.wordEnd(i)
}

// wordEnd returns the end of the word at i; its first character belongs to it
// whatever it is.
func (l *lexer) wordEnd(i int) int {
	for {
		if l.s[i] == '\\' {
			i++
		}
		i++
		if i >= len(l.s) {
			return len(l.s)
		}
		if isSpace(l.s, i) || strings.IndexByte(`,;:"(<[`, l.s[i]) >= 0 {
			return i
		}
	}
}

// quotedEnd returns the end of the quoted string that begins at i, 0 if it has none.
func quotedEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// wordAt returns the end of the encoded word that begins at i, 0 if none does. RFC 2047 5 has no commas, colons and
// parentheses in that of a display name; programs write them all the same, and end no item by them.
func wordAt(s string, i int) int {
	const longest = 1000
	if !strings.HasPrefix(s[i:], "=?") {
		return 0
	}
	marks := 0
	for j := i; j < min(len(s), i+longest); j++ {
		switch s[j] {
		case '\r', '\n', '"', '<', '>':
			return 0
		case '?':
			if marks++; marks < 4 {
				continue
			}
			if w, ok := nextWord(s[i:min(len(s), j+2)], 0); !ok || w.from != 0 {
				return 0
			}
			return j + 2
		}
	}
	return 0
}

// commentEnd returns the end of the comment that begins at i, 0 if it has none or
// is nested too deeply.
func commentEnd(s string, i int) int {
	const deepest = 100
	depth := 0
	for ; i < len(s) && depth <= deepest; i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func (l *lexer) literalEnd(i int) int {
	for i++; i <= l.lastLiteral; i++ {
		switch l.s[i] {
		case '[':
			return 0
		case ']':
			return i + 1
		}
	}
	return 0
}

func (l *lexer) angleEnd(i int) int {
	for i++; i <= l.lastAngle; i++ {
		switch l.s[i] {
		case '\\':
			i++
		case '"':
			if end := quotedEnd(l.s, i); end > 0 {
				i = end - 1
			}
		case '<':
			return 0
		case '>':
			return i + 1
		}
	}
	return 0
}

// item is one element of an address list: a mailbox, or the name of a group.
type item struct {
	toks     []token
	from, to int  // without the mark that ends it
	group    bool // a name that a colon ends
	mark     byte // what ends it, 0 at the end of the list
	overflow bool // tokens were left out
}

// item returns the next item, empty ones among them; ok is false at the end. The item's tokens are
// valid until the next call that is given them.
func (l *lexer) item(reuse []token) (it item, ok bool) {
	it = item{toks: reuse[:0], from: l.pos, to: l.pos}
	if l.pos >= len(l.s) {
		return it, false
	}
	address := false // an at sign was seen: a colon belongs to no group
	for {
		t, more := l.next()
		if !more {
			it.to = len(l.s)
			return it, true
		}
		if t.kind == tokMark {
			it.mark, it.to = l.s[t.from], t.from
			it.group = it.mark == ':'
			if !it.group || !address && len(it.toks) > 0 {
				return it, true
			}
			t.kind, it.mark, it.group = tokWord, 0, false
		}
		address = address || t.kind == tokAngle ||
			t.kind == tokWord && strings.IndexByte(l.s[t.from:t.to], '@') >= 0
		if len(it.toks) == maxTokens {
			it.overflow = true
			continue
		}
		it.toks = append(it.toks, t)
	}
}
