package rfc822

// container is a multipart or message that is open. It has no encoding of its own, but its label must cover
// what is in it (RFC 2045 6.4), which is not known before it was read.
type container struct {
	leaf     leaf
	depth    int  // around it
	labelled bool // its label covers 8-bit text, or must stay as it is
}

// container fixes the header of a multipart or message and keeps it for as long as it is open.
func (w *walker) container() {
	l := &w.leaf
	if !l.sealed {
		l.fixType()
	}
	coding, _ := l.header.encodingLabel()
	fit := "8bit"
	if w.sevenBit {
		fit = "7bit"
	}
	wrong := coding != "" && coding != "7bit" && coding != fit
	if wrong && !l.sealed {
		l.header.Set("Content-Transfer-Encoding", fit)
		l.badHead = true
	}
	c := container{leaf: *l, depth: w.depth, labelled: l.sealed || w.sevenBit || wrong || coding == fit}
	if l.badHead {
		if !c.labelled && l.headAt >= 0 {
			l.header.Set("Content-Transfer-Encoding", fit) // it can't be changed twice
			c.labelled = true
		}
		w.plan.header(l, w.charset)
	}
	w.eightBit(l.rawHigh)
	if !c.labelled {
		w.opened = append(w.opened, c)
	}
}

// leave closes the containers that are not around a part with so many around it.
func (w *walker) leave(depth int) {
	w.depth = depth
	for n := len(w.opened); n > 0 && w.opened[n-1].depth >= depth; n-- {
		w.opened = w.opened[:n-1]
	}
}

// eightBit notes that 8-bit text is sent as it is, if there is any, and labels the containers around it.
func (w *walker) eightBit(any bool) {
	if !any {
		return
	}
	w.plan.eightBit = true
	for i := len(w.opened) - 1; i >= 0; i-- { // the inner ones first: their places do not change then
		l := &w.opened[i].leaf
		l.header.Set("Content-Transfer-Encoding", "8bit")
		w.plan.insertHeader(l, w.charset)
	}
	w.opened = w.opened[:0]
}
