package rfc822

import "strings"

// fix makes the labels of a leaf true: its charset and its transfer encoding. It reports whether the content has
// to be encoded. message is the charset of the message's other texts.
func (l *leaf) fix(message string) (encode bool) {
	high := l.facts.eightBit > 0
	wrong := l.coding == encodingBase64 && !l.base64.isBase64()
	if wrong {
		l.coding = encodingIdentity
	}
	if high && l.coding != encodingBase64 || l.relabel {
		l.fixCharset(message)
	}
	if high || l.coding != encodingIdentity {
		l.fixType()
	}
	switch {
	case l.coding != encodingIdentity:
		l.fixEncoded()
		return high // what is not quoted-printable or base64 is in it
	case wrong:
		l.relabelCoding(high)
	default:
		l.fixIdentity(high)
	}
	return false
}

// fixType writes the Content-Type as all readers take it.
func (l *leaf) fixType() {
	value, has := l.header.Get("Content-Type")
	if plain := plainType(value); has && plain != value {
		l.header.Set("Content-Type", plain)
		l.badHead = true
	}
}

// fixEncoded writes the label of an encoded content as all readers take it.
func (l *leaf) fixEncoded() {
	label, _ := l.header.encodingLabel()
	if plain := plainEncoding(label); label != plain {
		l.header.Set("Content-Transfer-Encoding", plain)
		l.badHead = true
	}
}

// fixIdentity sees to it that the label of a content that is not encoded says so.
func (l *leaf) fixIdentity(high bool) {
	label, has := l.header.encodingLabel()
	switch {
	case label == "8bit":
	case label == "7bit", label == "" && !has, isUuencode(label):
		if high {
			l.relabelCoding(high)
		}
	default: // binary, which needs BINARYMIME (RFC 3030), or none that there is
		l.relabelCoding(high)
	}
}

func (l *leaf) relabelCoding(high bool) {
	label := "7bit"
	if high {
		label = "8bit"
	}
	l.header.Set("Content-Transfer-Encoding", label)
	l.badHead = true
}

// fixCharset gives a text the charset that it is in, if the one it names can't be.
func (l *leaf) fixCharset(message string) {
	if l.relabel {
		l.header.Set("Content-Type", "text/plain; charset="+l.charsetOf(l.charset))
		l.badHead = true
		return
	}
	if !strings.HasPrefix(l.media, "text/") {
		return
	}
	own := l.charset
	if own == "" {
		own = message
	}
	charset := l.charsetOf(own)
	if strings.EqualFold(charset, l.charset) {
		return
	}
	value, _ := l.header.Get("Content-Type")
	if parseContentType(value).media == "" {
		value = "text/plain"
	}
	l.header.Set("Content-Type", setParam(value, "charset", charset))
	l.badHead = true
}

// charsetOf names the charset of the leaf's text; own is what it or its message names.
func (l *leaf) charsetOf(own string) string {
	if kindOf(own) == charsetWide && l.facts.nul > 0 {
		return own // and base64, since there are NULs
	}
	if l.facts.eightBit == 0 {
		if kindOf(own) == charsetUnknown {
			return "us-ascii"
		}
		return own
	}
	return l.high.charset(own)
}

// folds reports whether the leaf may not be encoded, and has its long lines folded instead (RFC 2045 6.4, RFC 2046
// 5.2, RFC 3464 2.1). The content of message/global may be encoded (RFC 6532 3.5).
func (l *leaf) folds() bool {
	return strings.HasPrefix(l.media, "message/") && !strings.HasPrefix(l.media, "message/global") &&
		!l.relabel && l.coding == encodingIdentity
}

// base64Check looks at the beginning of a content that is said to be base64.
type base64Check struct {
	digits  int // of base64
	other   int // bytes that are neither that nor white space
	first   int // digits of the first line that has any
	odd     int // other bytes of that line
	foreign bool
	ended   bool // the first line
}

// enough is how many bytes settle it.
const enough = 4096

func (c *base64Check) add(p piece) {
	if c.digits+c.other > enough {
		return
	}
	inner := false
	for _, b := range p.text {
		switch {
		case isBase64(b):
			if inner && !c.ended {
				c.foreign = true // words with blanks between them
			}
			c.digits++
			if !c.ended {
				c.first++
			}
		case b == '=', b == '\r', b == '\n', b == 0:
		case isBlank(b):
			inner = c.first > 0
		default:
			c.other++
			if !c.ended {
				c.odd++
			}
		}
	}
	c.ended = c.ended || p.eol && c.first > 0
}

// isBase64 reports whether it is. What follows a long line of base64 may be anything, such as a list's footer.
func (c *base64Check) isBase64() bool {
	const long = 40
	switch {
	case c.digits+c.other == 0:
		return true
	case c.foreign, c.odd*stray > c.first:
		return false
	case c.first >= long:
		return true
	}
	return c.other*stray <= c.digits && c.digits%4 != 1
}

// stray is how many digits make up for a byte that is not one. A decoder passes over such bytes (RFC 2045 6.8).
const stray = 8

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
