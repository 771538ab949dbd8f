package rfc822

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// RepairFrom makes each From field one that a reader understands (RFC 5322 3.6.2): an address
// stands behind its name, and whatever else is there becomes part of a name. A From that has a
// name alone gets the address of author. It returns what had to be guessed, for a log; "" means
// that every field was valid, and stays as it is.
func (m *Message) RepairFrom(author Address) (guessed string) {
	h := m.Header
	for i, f := range h.fields {
		if !f.is("From") {
			continue
		}
		if charset := m.charset(); charset != "" && hasEightBit(f.raw) && !utf8.Valid(f.raw) {
			f.raw, _ = f.appendWire(nil, charset) // the words of the charset that the message names
			h.fields[i] = f
		}
		list, guess := readAuthors(f.Value(), author)
		if guess == "" {
			continue
		}
		guessed = guess
		h.fields[i] = newField(f.Name(), formatList(list))
	}
	return guessed
}

func formatList(list []Address) string {
	all := make([]string, len(list))
	for i, a := range list {
		all[i] = a.String()
	}
	return strings.Join(all, ", ")
}

// readAuthors reads a From field as people and programs write it. guess says what is not as the
// RFC has it; "" means that the field can stay, and there is no list.
func readAuthors(v string, author Address) (list []Address, guess string) {
	whole, encoded := decodedWhole(v)
	if encoded && strings.IndexByte(whole, '@') >= 0 {
		v, guess = whole, "it was encoded as a whole"
	}
	if list, group := plainAuthors(v); list != nil && (!encoded || guess != "") {
		if group && guess == "" {
			guess = "it has a group"
		}
		return list, guess
	}
	list, rest := looseAuthors(toUTF8(v))
	switch {
	case len(list) > 0:
		return list, "it is not a list of mailboxes, and was read as one of " + addresses(list)
	case rest == "":
		return nil, ""
	}
	author.Display = rest
	return []Address{author}, "it has no address"
}

// addresses names the addresses of a list for a log.
func addresses(list []Address) string {
	all := make([]string, len(list))
	for i, a := range list {
		all[i] = a.Addr()
	}
	return strings.Join(all, " and ")
}

// decodedWhole decodes a text that has nothing but encoded words with an address in them: some
// programs encode a field as a whole, name and address (against RFC 2047 5).
func decodedWhole(v string) (text string, ok bool) {
	if strings.TrimSpace(withoutWords(v)) != "" {
		return "", false
	}
	text = strings.TrimSpace(decodeText(v))
	return text, text != strings.TrimSpace(v) && knownWords(v)
}

// plainAuthors returns the mailboxes of a field that is well-formed, else nil. One in which a name
// alone stands before a mailbox with a name is not: "Doe, John <john@example.org>" has one author.
// The name of a group becomes part of the name of its first mailbox.
func plainAuthors(v string) (list []Address, group bool) {
	l := newLexer(v)
	var toks []token
	var name Address // of the group
	bare := false
	for {
		it, more := l.item(toks)
		if !more {
			return list, group
		}
		toks = it.toks
		switch {
		case it.group && !it.isScheme(v):
			group = true
			name.Display = phrase(v, it.toks)
			continue
		case it.group || it.isEmpty(v):
			continue
		}
		a, err := it.address(v)
		angle := it.angle() >= 0
		alone := a.Domain == "" && !angle
		switch {
		case err != nil, bare && angle, it.angleList(v) != nil, alone && !isDotAtom(a.Local), it.hasStrayMark(v):
			return nil, false
		}
		bare = bare || alone
		list = append(list, a.inGroup(&name))
	}
}

// inGroup puts the name of a group before the mailbox's own, once.
func (a Address) inGroup(name *Address) Address {
	if name.Display == "" {
		return a
	}
	sep := ""
	if a.Display != "" {
		sep = ": "
	}
	named := name.AppendName(sep, a)
	named.Local, named.Domain = a.Local, a.Domain
	*name = Address{}
	return named
}

// hasStrayMark reports whether there is a quote or an angle bracket without its other half.
func (it item) hasStrayMark(s string) bool {
	return slices.ContainsFunc(it.toks, func(t token) bool {
		return t.kind == tokWord && (strings.IndexByte(`"<`, s[t.from]) >= 0 || strings.Contains(s[t.from:t.to], ">"))
	})
}

// isScheme reports whether the group's name is the scheme of a mailto URL.
func (it item) isScheme(s string) bool {
	return len(it.toks) == 1 && isScheme(s[it.toks[0].from:it.toks[0].to])
}

// isScheme reports whether a word before a colon is not part of an address: Exchange calls its own kind SMTP.
func isScheme(word string) bool {
	return strings.EqualFold(word, "mailto") || strings.EqualFold(word, "smtp")
}

// found is an address in a loose text, and where it stands with its brackets.
type found struct {
	Address
	from, to int
	inAngle  bool
}

// looseAuthors finds the addresses of a text; the text before each of them becomes its name,
// and the rest, behind the last one, part of that one's name. Without any address rest has it all.
func looseAuthors(v string) (list []Address, rest string) {
	begin := 0
	text := ""
	for _, a := range namedAddresses(v) {
		text = v[begin:a.from]
		a.Display = looseName(text)
		begin = a.to
		list = append(list, a.Address)
		if len(list) == maxAddresses {
			break
		}
	}
	if n := len(list); n > 0 {
		list[n-1].Display = looseName(text + " " + v[begin:])
		return list, ""
	}
	return nil, looseName(v)
}

// namedAddresses returns the addresses of a text. One that is in the same item of a list as one in
// angle brackets is part of a name.
func namedAddresses(v string) []found {
	all := looseAddresses(v)
	var kept []found
	for i := 0; i < len(all); {
		end, angle := i, false // all[i:end] are in one item
		for end < len(all) && (end == i || !strings.ContainsAny(v[all[end-1].to:all[end].from], ",;")) {
			angle = angle || all[end].inAngle
			end++
		}
		for _, a := range all[i:end] {
			if a.inAngle || !angle {
				kept = append(kept, a)
			}
		}
		i = end
	}
	return kept
}

// looseAddresses returns whatever looks like an address.
func looseAddresses(v string) []found {
	var all []found
	last := 0 // nothing before it is looked at again
	for i := range len(v) {
		if v[i] != '@' || i < last {
			continue
		}
		var a found
		var local, domain, problem string
		a.from, local = localBefore(v[last:i])
		a.from += last
		a.to, domain = domainBehind(v[i+1:])
		a.to += i + 1
		if bare := strings.TrimPrefix(local, "'"); bare != local && strings.HasPrefix(v[a.to:], "'") {
			local = bare
			a.to++
		}
		spec := local + "@" + domain
		a.Local, a.Domain, problem = parseAddrSpec(spec)
		if problem != "" || a.Local == "" || a.Domain == "" || len(spec) > maxAddress || a.touches(v) {
			continue
		}
		if a.isPart(v, last) {
			continue
		}
		a.widen(v, last)
		all, last = append(all, a), a.to
	}
	return all
}

// localBefore returns the local part at the end of v, and where it begins.
func localBefore(v string) (from int, local string) {
	v = strings.TrimRight(v, " \t")
	from = len(v)
	for from > 0 && (isAtext(v[from-1]) || v[from-1] == '.') {
		from--
	}
	local = strings.TrimRightFunc(v[from:], invisible)
	if n := strings.LastIndexFunc(local, splits); n >= 0 {
		_, size := utf8.DecodeRuneInString(local[n:])
		from, local = from+n+size, local[n+size:]
	}
	return from, strings.TrimLeftFunc(local, invisible)
}

// domainBehind returns the domain at the start of v, and where it ends.
func domainBehind(v string) (to int, domain string) {
	for to < len(v) && isBlank(v[to]) {
		to++
	}
	begin := to
	for to < len(v) && isDomainByte(v[to]) {
		to++
	}
	domain = strings.TrimLeftFunc(v[begin:to], invisible)
	if n := strings.IndexFunc(domain, splits); n >= 0 {
		to -= len(domain) - n
		domain = domain[:n]
	}
	return to, strings.TrimRightFunc(strings.TrimRight(domain, ".-"), invisible)
}

func isDomainByte(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._", c) >= 0 || c >= 0x80
}

// touches reports whether the text goes on at either side as if the address were part of more.
func (a *found) touches(v string) bool {
	return a.from > 0 && strings.IndexByte(`@"\`, v[a.from-1]) >= 0 || a.to < len(v) && v[a.to] == '@'
}

// isPart reports whether angle brackets behind a name have other words before the address, which then is not all of it.
func (a *found) isPart(v string, last int) bool {
	open := strings.LastIndexByte(v[last:a.from], '<') + last
	if open < last || strings.TrimSpace(v[last:open]) == "" ||
		!strings.HasPrefix(strings.TrimLeft(v[a.to:], " \t"), ">") {
		return false
	}
	before := strings.TrimSpace(v[open+1 : a.from])
	return before != "" && !strings.ContainsFunc(before, func(r rune) bool {
		return r < utf8.RuneSelf && !isAtext(byte(r)) && r != '.' && r != ' ' && r != '\t'
	})
}

// widen takes the brackets around the address, and a scheme before it.
func (a *found) widen(v string, last int) {
	const scheme = "mailto:"
	if n := a.from - len(scheme); n >= last && strings.EqualFold(v[n:a.from], scheme) {
		a.from = n
	}
	for a.from > last && (v[a.from-1] == '<' || isBlank(v[a.from-1])) {
		a.inAngle = a.inAngle || v[a.from-1] == '<'
		a.from--
	}
	for a.to < len(v) && (v[a.to] == '>' || isBlank(v[a.to])) {
		a.to++
	}
}

// looseName makes a display name of what stands around an address.
func looseName(text string) string {
	if strings.IndexByte(text, '@') < 0 { // else it could look like another address without them
		text = strings.NewReplacer(`"`, "", `\`, "").Replace(text)
	}
	text = strings.Trim(trimInvisible(strings.Join(strings.Fields(text), " ")), " ,;:<>")
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 || isAtext(byte(r)) }) {
		return ""
	}
	return decodeText(text)
}
