package rfc822

import (
	"bytes"
	"strings"
)

// hints is what the lines of a body that look like fields of its parts say.
type hints struct {
	odd bool // a transfer encoding that there is not, or content that is not in the one that is named
}

// watch looks for transfer encodings in a body that comes in, so that only a message in which one may be
// wrong has to be looked at as a whole. It looks at the first letter of most lines, and no further.
type watch struct {
	hints *hints
	state watchState
	lead  []byte // the beginning of a line that is not yet there as a whole
}

type watchState uint8

const (
	watchText    watchState = iota
	watchHead               // in a header that names base64
	watchContent            // the content behind that
)

// maxLead is how much of a line is kept.
const maxLead = 128

// begin takes a piece of a line that ends later.
func (w *watch) begin(text []byte) {
	if n := maxLead - len(w.lead); n > 0 {
		w.lead = append(w.lead, text[:min(n, len(text))]...)
	}
}

// line takes a line, or what stands behind the pieces of it that begin was given.
func (w *watch) line(text []byte) {
	if len(w.lead) > 0 {
		w.begin(text)
		text = w.lead
		w.lead = w.lead[:0]
	}
	if w.state == watchText && (len(text) == 0 || text[0]|0x20 != 'c') {
		return
	}
	w.look(text)
}

func (w *watch) look(text []byte) {
	const name = "content-transfer-encoding"
	switch {
	case len(text) >= len(name) && equalFold(text[:len(name)], name):
		value, found := strings.CutPrefix(strings.TrimLeft(string(text[len(name):]), " \t"), ":")
		if !found {
			return
		}
		w.state = watchText
		switch strings.ToLower(strings.TrimLeft(value, " \t")) {
		case "7bit", "8bit", "quoted-printable":
		case "base64":
			w.state = watchHead
		default:
			w.hints.odd = true
		}
	case w.state == watchHead && len(text) == 0:
		w.state = watchContent
	case w.state == watchContent && len(bytes.TrimSpace(text)) > 0:
		w.state = watchText
		var c base64Check
		c.add(piece{text: text, eol: true})
		w.hints.odd = w.hints.odd || !c.isBase64()
	}
}
