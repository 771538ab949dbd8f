package rfc822

// section is a run of whole lines of a body, none of which begins with two hyphens: no delimiter is in it. It
// is what follows a blank line, since the lines before that may be a part's header.
type section struct {
	from, to int64
	facts    facts
}

// maxSections bounds the memory of an outline. A body with more is read once more before it goes.
const maxSections = 256

// outline is the sections of a body, gathered while it came in.
type outline []section

// at returns the section that begins at off, nil if none does, and forgets those before it.
func (o *outline) at(off int64) *section {
	for len(*o) > 0 && (*o)[0].from < off {
		*o = (*o)[1:]
	}
	if len(*o) > 0 && (*o)[0].from == off {
		return &(*o)[0]
	}
	return nil
}

// delimiter ends the section: the line that comes next begins with two hyphens.
func (b *bodyReader) delimiter() {
	b.endSection()
	b.inHead = true
}

// blank begins a section: a blank line was written that may end the header of a part.
func (b *bodyReader) blank() {
	b.endSection()
	b.inHead = false
}

// endSection keeps the facts of what was written since the section or header began.
func (b *bodyReader) endSection() {
	b.scan()
	end := b.keep.size + int64(len(b.out))
	f := &b.facts
	b.info.EightBit = b.info.EightBit || f.eightBit > 0
	b.info.NUL = b.info.NUL || f.nul > 0
	b.info.LongestLine = max(b.info.LongestLine, f.longest)
	if !b.inHead && end > b.sectionAt && len(b.outline) < maxSections {
		b.outline = append(b.outline, section{b.sectionAt, end, *f})
	}
	*f, b.sectionAt = facts{}, end
}

// scan looks at what was written since it was last called.
func (b *bodyReader) scan() {
	b.facts.scan(b.out[b.scanned:])
	b.scanned = len(b.out)
}
