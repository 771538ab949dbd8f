package config

import (
	"strconv"
	"strings"
)

// maxNesting bounds arrays in arrays and dots in keys. The parser's own work grows with the
// square of them, or deeper than a stack.
const maxNesting = 16

// locator finds the line of each key. The TOML library knows them and does not tell. It trusts
// that the text is good TOML: on anything else it stops early or finds nonsense, no more.
type locator struct {
	src     string
	pos     int
	line    int
	lines   map[string]int
	counts  map[string]int // elements of [[arrays]]
	tooDeep int            // the line where maxNesting was passed
	stopped bool
	plain   strings.Builder // src up to kept, without its comments
	kept    int
}

// located is what locate found.
type located struct {
	lines map[string]int // the first line of each dotted key
	deep  int            // a line that nests too deep, or 0
	// plain is the text without its comments, lines kept: the parser takes 20 ns for each byte
	// of a comment, and a file made from the sample is mostly comments.
	plain string
}

func locate(src string) located {
	l := locator{src: src, line: 1, lines: make(map[string]int, 64)}
	l.document()
	l.plain.WriteString(src[l.kept:])
	return located{l.lines, l.tooDeep, l.plain.String()}
}

func (l *locator) document() {
	prefix := ""
	for !l.stopped {
		l.blank()
		switch {
		case l.pos >= len(l.src):
			return
		case l.src[l.pos] == '[':
			prefix = l.header()
		default:
			l.pair(prefix)
		}
	}
}

// blank skips space, line ends and comments.
func (l *locator) blank() {
	for l.pos < len(l.src) {
		switch l.src[l.pos] {
		case '\n':
			l.line++
		case ' ', '\t', '\r':
		case '#':
			l.plain.WriteString(l.src[l.kept:l.pos])
			l.until("\n")
			l.kept = l.pos
			continue
		default:
			return
		}
		l.pos++
	}
}

// until moves to the first byte of set, or to the end.
func (l *locator) until(set string) {
	if i := strings.IndexAny(l.src[l.pos:], set); i >= 0 {
		l.pos += i
	} else {
		l.pos = len(l.src)
	}
}

// header reads [a.b] or [[a.b]] and returns the path of what follows.
func (l *locator) header() string {
	l.pos++
	array := l.pos < len(l.src) && l.src[l.pos] == '['
	if array {
		l.pos++
	}
	name := l.key("")
	l.until("]\n")
	for l.pos < len(l.src) && l.src[l.pos] == ']' {
		l.pos++
	}
	if array {
		if l.counts == nil {
			l.counts = make(map[string]int)
		}
		l.counts[name]++
		name = element(name, l.counts[name])
	}
	return name
}

// element names the nth value of an array, the first being 1.
func element(name string, n int) string { return name + "[" + strconv.Itoa(n) + "]" }

// pair reads key = value.
func (l *locator) pair(prefix string) {
	name := l.key(prefix)
	l.space()
	if l.stopped || l.pos >= len(l.src) || l.src[l.pos] != '=' {
		l.stopped = true
		return
	}
	l.pos++
	l.value(name, 0)
}

func (l *locator) space() {
	for l.pos < len(l.src) && (l.src[l.pos] == ' ' || l.src[l.pos] == '\t') {
		l.pos++
	}
}

// key reads a dotted key below prefix and notes its line.
func (l *locator) key(prefix string) string {
	name := prefix
	for depth := 0; ; depth++ {
		if depth == maxNesting {
			l.tooDeep, l.stopped = l.line, true
			return name
		}
		l.space()
		part, ok := l.part()
		if !ok {
			l.stopped = true
			return name
		}
		name = join(name, part)
		if l.lines[name] == 0 {
			l.lines[name] = l.line
		}
		l.space()
		if l.pos >= len(l.src) || l.src[l.pos] != '.' {
			return name
		}
		l.pos++
	}
}

// part reads one bare or quoted part of a key.
func (l *locator) part() (string, bool) {
	start := l.pos
	if start < len(l.src) && (l.src[start] == '"' || l.src[start] == '\'') {
		quote := l.src[start]
		l.str()
		if l.pos-start < 2 {
			return "", false
		}
		text := l.src[start+1 : l.pos-1]
		if quote == '"' && strings.IndexByte(text, '\\') >= 0 {
			// Go's escapes are TOML's but for \e and \xHH, which no sane key has.
			if plain, err := strconv.Unquote(`"` + text + `"`); err == nil {
				text = plain
			}
		}
		return text, true
	}
	for l.pos < len(l.src) && bare(l.src[l.pos]) {
		l.pos++
	}
	return l.src[start:l.pos], l.pos > start
}

// bare reports whether c may stand in a key without quotes. TOML 1.1 had more for a while.
func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}

// value skips a value, noting the keys of inline tables.
func (l *locator) value(name string, depth int) {
	l.blank()
	if depth > maxNesting {
		l.tooDeep, l.stopped = l.line, true
	}
	if l.stopped || l.pos >= len(l.src) {
		return
	}
	switch l.src[l.pos] {
	case '"', '\'':
		l.str()
	case '[':
		l.list(']', func(n int) {
			item := element(name, n)
			l.lines[item] = l.line
			l.value(item, depth+1)
		})
	case '{':
		l.list('}', func(int) {
			inner := l.key(name)
			l.space()
			if l.pos < len(l.src) && l.src[l.pos] == '=' {
				l.pos++
				l.value(inner, depth+1)
			} else {
				l.stopped = true
			}
		})
	default:
		l.until(",]}#\n")
	}
}

// list reads what stands between brackets; item is called at the start of each.
func (l *locator) list(end byte, item func(n int)) {
	l.pos++
	for n := 1; !l.stopped; n++ {
		for l.blank(); l.pos < len(l.src) && l.src[l.pos] == ','; l.blank() {
			l.pos++
		}
		if l.pos >= len(l.src) {
			return
		}
		if l.src[l.pos] == end {
			l.pos++
			return
		}
		before := l.pos
		item(n)
		if l.pos == before {
			l.stopped = true
		}
	}
}

// str skips a string of any of the four kinds.
func (l *locator) str() {
	quote := l.src[l.pos : l.pos+1]
	if triple := quote + quote + quote; strings.HasPrefix(l.src[l.pos:], triple) {
		l.pos += 3
		l.skip(triple, quote == `"`)
		// Up to two quotes may stand before the closing three.
		for range 2 {
			if strings.HasPrefix(l.src[l.pos:], quote) {
				l.pos++
			}
		}
		return
	}
	l.pos++
	l.skip(quote, quote == `"`)
}

// skip moves behind the next end, counting lines.
func (l *locator) skip(end string, escapes bool) {
	for l.pos < len(l.src) {
		switch {
		case escapes && l.src[l.pos] == '\\' && l.pos+1 < len(l.src):
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], end):
			l.pos += len(end)
			return
		}
		if l.src[l.pos] == '\n' {
			l.line++
		}
		l.pos++
	}
}

// join adds a part to a dotted name, quoted where the name would be unclear without.
func join(prefix, part string) string {
	if part == "" || strings.IndexFunc(part, func(r rune) bool { return r >= 0x80 || !bare(byte(r)) }) >= 0 {
		part = strconv.Quote(part)
	}
	if prefix == "" {
		return part
	}
	return prefix + "." + part
}

// lineOf returns the line of a key, else that of what it stands in, else 0.
func lineOf(lines map[string]int, name string) int {
	for name != "" {
		if n := lines[name]; n > 0 {
			return n
		}
		i := strings.LastIndexAny(name, ".[")
		if i < 0 {
			return 0
		}
		name = name[:i]
	}
	return 0
}
