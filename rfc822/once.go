package rfc822

import (
	"bytes"
	"slices"
	"strings"
)

// maxField is the longest field that is made of several, in bytes: Exchange takes 32,768 in one.
const maxField = 32_700

// onceFields are the fields that a header may have once (RFC 5322 3.6, RFC 2045 3, RFC 2183). Those of one kind are
// joined by what stands here, "" keeps the first.
var onceFields = [...]struct{ name, join string }{
	{"From", ","}, {"Reply-To", ","}, {"To", ","}, {"Cc", ","}, {"Bcc", ","}, {"References", ""},
	{"Sender", ""}, {"Date", ""}, {"Message-ID", ""}, {"In-Reply-To", ""}, {"Subject", ""}, {"MIME-Version", ""},
	{"Content-Type", ""}, {"Content-Transfer-Encoding", ""}, {"Content-ID", ""}, {"Content-Description", ""},
	{"Content-Disposition", ""},
}

// dropEmpty drops the address and identification fields that name nothing, and other fields without a value that
// stand beside one with it.
func (h *Header) dropEmpty() {
	h.fields = slices.DeleteFunc(h.fields, func(f Field) bool {
		switch {
		case f.is("Return-Path"):
			return false
		case f.isAddress():
			return namesNobody(f.Value())
		case f.is("Message-ID"), f.is("In-Reply-To"), f.is("References"), f.is("Resent-Message-ID"), f.is("Content-ID"):
			return strings.Trim(withoutComments(f.Value()), " \t\r\n<>,") == ""
		}
		return false
	})
	for _, once := range onceFields {
		filled := false
		for _, f := range h.fields {
			filled = filled || f.is(once.name) && f.Value() != ""
		}
		if filled {
			h.fields = slices.DeleteFunc(h.fields, func(f Field) bool { return f.is(once.name) && f.Value() == "" })
		}
	}
}

// namesNobody reports whether an address list has no item but empty ones: not even a group without members.
func namesNobody(value string) bool {
	l := newLexer(value)
	var toks []token
	for {
		it, ok := l.item(toks)
		if !ok {
			return true
		}
		toks = it.toks
		empty := it.isEmpty(value) && !it.group
		if len(it.toks) == 1 && it.toks[0].kind == tokAngle {
			empty = strings.Trim(value[it.toks[0].from:it.toks[0].to], "<> \t") == ""
		}
		if !empty {
			return false
		}
	}
}

// withoutComments returns a structured value without its comments.
func withoutComments(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '(':
			if end := commentEnd(value, i); end > 0 {
				b.WriteByte(' ')
				i = end - 1
				continue
			}
		case '"':
			if end := quotedEnd(value, i); end > 0 {
				b.WriteString(value[i:end])
				i = end - 1
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// once leaves one field of each kind that may stand once: the first, joined with the others where
// that says something.
func (h *Header) once() {
	for _, o := range onceFields {
		first := h.index(o.name)
		if first < 0 {
			continue
		}
		raw, taken := h.fields[first].raw, 1
		joins := o.join != "" || o.name == "References"
		kept := h.fields[:first+1]
		for _, f := range h.fields[first+1:] {
			switch {
			case !f.is(o.name):
				kept = append(kept, f)
			case joins && len(raw)+len(f.content())+len(",\r\n ") <= maxField:
				raw = joinFields(raw, f, o.join)
				taken++
			}
		}
		if h.fields = kept; taken > 1 {
			h.fields[first] = Field{raw: raw, name: h.fields[first].name}
		}
	}
}

// joinFields appends the value of f on a line of its own.
func joinFields(raw []byte, f Field, mark string) []byte {
	raw = bytes.TrimRight(raw, " \t\r\n"+mark)
	raw = append(slices.Clip(raw), mark...)
	raw = append(raw, "\r\n "...)
	raw = append(raw, bytes.Trim(f.content(), " \t\r\n"+mark)...)
	return append(raw, "\r\n"...)
}

// shorten cuts what is too long for one field: an address list after its last item that fits, and the older
// identifiers of References but for the first.
func (h *Header) shorten() {
	for i, f := range h.fields {
		if len(f.raw) <= maxField {
			continue
		}
		switch {
		case f.is("References"):
			ids := strings.Fields(f.Value())
			size := len(ids[0]) + len("References: \r\n")
			from := len(ids)
			for from > 1 && size+len(ids[from-1])+len("\r\n ") <= maxField {
				from--
				size += len(ids[from]) + len("\r\n ")
			}
			h.fields[i] = newField(f.Name(), strings.Join(append(ids[:1:1], ids[from:]...), " "))
		case f.isAddress():
			h.fields[i] = f.shortened()
		}
	}
}

// shortened returns an address field with as many of its items as fit.
func (f Field) shortened() Field {
	value := string(bytes.TrimSuffix(f.content(), []byte("\r\n")))
	start := len(f.raw) - len(f.content())
	l := newLexer(value)
	var toks []token
	end, group := 0, false
	for {
		it, ok := l.item(toks)
		if !ok || start+it.to+len(";\r\n") > maxField {
			break
		}
		toks = it.toks
		end, group = it.to, it.group || group && it.mark != ';'
	}
	raw := append(slices.Clip(f.raw[:start]), value[:end]...)
	if group {
		raw = append(raw, ';')
	}
	return Field{raw: append(raw, "\r\n"...), name: f.name}
}
