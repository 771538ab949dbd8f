package rfc822

import "strings"

// addressRewriter changes the addr-specs of an address field that can't go out as they are.
type addressRewriter struct {
	domain string                       // for bare local names; "" leaves them alone
	ascii  func(string) (string, error) // as CompleteOptions.ASCIIDomain
}

// edit is what is to stand in a place of a field.
type edit struct {
	from, to int
	text     string
}

// rewritten returns the field with its addr-specs changed, and every other byte as it was.
func (f Field) rewritten(r addressRewriter) Field {
	value := f.content()
	begin := len(f.raw) - len(value)
	s := string(value[:len(value)-len("\r\n")])
	edits := r.edits(s)
	if len(edits) == 0 {
		return f
	}
	raw := append([]byte(nil), f.raw[:begin]...)
	from := 0
	for _, e := range edits {
		raw = append(append(raw, s[from:e.from]...), e.text...)
		from = e.to
	}
	return Field{raw: append(append(raw, s[from:]...), '\r', '\n'), name: f.name}
}

func (r addressRewriter) edits(s string) []edit {
	var edits []edit
	l := newLexer(s)
	var toks []token
	var mark edit // for the one behind the item before
	inGroup := false
	for len(edits) < maxAddresses {
		it, ok := l.item(toks)
		if mark.text != "" {
			if strings.Trim(s[it.from:], " \t\r\n,;") == "" {
				mark.text = ""
			}
			edits = append(edits, mark)
		}
		if !ok {
			break
		}
		toks = it.toks
		if mark = (edit{}); it.mark == ';' && !inGroup {
			mark = edit{it.to, it.to + 1, ","} // as people write lists; in RFC 5322 3.4 it ends a group
		}
		inGroup = it.group && !it.isScheme(s) || inGroup && it.mark != ';'
		if it.group && it.isScheme(s) {
			edits = append(edits, edit{it.toks[0].from, it.to + len(":"), ""})
		}
		if it.group || it.isEmpty(s) {
			continue
		}
		if inner := it.angleList(s); inner != nil {
			edits = append(edits, r.apart(it, s))
			continue
		}
		a, at, err := it.mailbox(s)
		if err != nil {
			continue
		}
		if name, ok := it.quotedName(s); ok {
			edits = append(edits, name)
		}
		edits = append(edits, it.plainWords(s)...)
		if spec, changed := r.spec(a, at); changed {
			edits = append(edits, edit{at.from, at.to, spec})
		}
	}
	return edits
}

// spec returns the addr-spec as it goes out, and whether it differs from what is there.
func (r addressRewriter) spec(a Address, at span) (spec string, changed bool) {
	changed = at.blanks || at.dot
	asWas := a
	switch {
	case a.Domain == "" && r.domain != "":
		a.Domain, changed = r.domain, true
	case r.ascii != nil && !isASCII(a.Domain):
		if domain, err := r.ascii(a.Domain); err == nil {
			a.Domain, changed = domain, true
		}
	}
	if spec = a.Addr(); len(spec) > maxAddress {
		return asWas.Addr(), at.blanks
	}
	return spec, changed
}

// quotedName returns a name before angle brackets as a quoted string, if it has a character that may stand in one
// alone, or a quote that is never closed.
func (it item) quotedName(s string) (edit, bool) {
	angle, found := it.angle(), false
	for _, t := range it.toks[:max(angle, 0)] {
		text := s[t.from:t.to]
		if t.kind != tokWord && t.kind != tokLiteral || !isASCII(text) || strings.Contains(text, "=?") {
			return edit{}, false
		}
		found = found || t.kind == tokLiteral || strings.ContainsAny(text, `@"`)
	}
	if !found {
		return edit{}, false
	}
	from, to := it.toks[0].from, it.toks[angle-1].to
	return edit{from, to, quote(strings.ReplaceAll(unfold(s[from:to]), `"`, ""))}, true
}

// plainWords writes the encoded words of a display name once more that have what other readers end an item by.
func (it item) plainWords(s string) (edits []edit) {
	for _, t := range it.toks[:max(it.angle(), 0)] {
		text := s[t.from:t.to]
		if t.kind != tokWord || !strings.HasPrefix(text, "=?") || !strings.ContainsAny(text, ",;:()@ ") {
			continue
		}
		if w, ok := nextWord(text, 0); ok && w.from == 0 && w.to == len(text) {
			edits = append(edits, edit{t.from, t.to, w.plain(text)})
		}
	}
	return edits
}

// apart writes a list between angle brackets as mailboxes of their own; what is none stays.
func (r addressRewriter) apart(it item, s string) edit {
	var all []string
	parseItems(it.angleList(s), s, true, func(a Address, err error) bool {
		if err == nil {
			spec, _ := r.spec(a, span{})
			all = append(all, "<"+spec+">")
		}
		return true
	})
	t := it.toks[it.angle()]
	if len(all) == 0 {
		return edit{t.from, t.to, s[t.from:t.to]}
	}
	return edit{t.from, t.to, strings.Join(all, ", ")}
}
