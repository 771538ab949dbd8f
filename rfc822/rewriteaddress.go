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
	for len(edits) < maxAddresses {
		it, ok := l.item(toks)
		if !ok {
			break
		}
		toks = it.toks
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
		if spec, changed := r.spec(a, at); changed {
			edits = append(edits, edit{at.from, at.to, spec})
		}
	}
	return edits
}

// spec returns the addr-spec as it goes out, and whether it differs from what is there.
func (r addressRewriter) spec(a Address, at span) (spec string, changed bool) {
	changed = at.blanks
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
