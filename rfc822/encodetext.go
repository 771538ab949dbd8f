package rfc822

import "strings"

// encodeText encodes each run of words that is not ASCII. Encoded words stay, written once more if they
// have blanks or bytes over 127 in them. Space between a run and an encoded word that was already there goes into
// the new word: readers drop white space between encoded words (RFC 2047 6.2). own is the charset that the message
// names for its text.
func encodeText(value, own string) string {
	return encodeRuns(value, isASCII, func(run string) (string, bool) { return encodeWords(run, own), true })
}

// encodePhrase does so with the words of a display name. What stands between encoded words is
// quoted if it has to be.
func encodePhrase(name, own string) string {
	never := func(string) bool { return false }
	return encodeRuns(apart(name), never, func(run string) (string, bool) {
		text := strings.Trim(run, " \t")
		switch {
		case !isASCII(run):
			return encodeWords(run, own), true
		case isAtoms(text):
			return text, false
		}
		return quote(text), false
	})
}

// encodeRuns cuts a text into words that stay and runs of others, which encode writes. It reports
// whether it made encoded words.
func encodeRuns(value string, plain func(word string) bool, encode func(run string) (string, bool)) string {
	value = repairWords(value)
	stays := func(word string) bool { return word == "" || isEncodedWord(word) || plain(word) }
	var b strings.Builder
	afterEncoded := false // the last word written is an encoded one
	for i := 0; i < len(value); {
		gap, word := cutWord(value[i:])
		if stays(word) {
			b.WriteString(gap + word)
			afterEncoded = isEncodedWord(word)
			i += len(gap) + len(word)
			continue
		}
		to := runEnd(value, i, stays)
		from := i + len(gap)
		text, encoded := encode(value[from:to])
		next, word := cutWord(value[to:])
		beforeEncoded := isEncodedWord(word)
		if encoded && (afterEncoded || beforeEncoded) {
			if afterEncoded {
				from, gap = i, " "
			}
			if beforeEncoded {
				to += len(next)
			}
			text, _ = encode(value[from:to])
			if beforeEncoded {
				text += " "
			}
		}
		b.WriteString(gap + text)
		afterEncoded = encoded
		i = to
	}
	return b.String()
}

// runEnd returns the end of the words at i that do not stay.
func runEnd(value string, i int, stays func(string) bool) int {
	for i < len(value) {
		gap, word := cutWord(value[i:])
		if stays(word) {
			break
		}
		i += len(gap) + len(word)
	}
	return i
}

// repairWords writes the encoded words that no reader has to understand as they should be.
func repairWords(value string) string {
	var b strings.Builder
	at := 0
	for {
		w, ok := nextWord(value, at)
		if !ok {
			return b.String() + value[at:]
		}
		b.WriteString(value[at:w.from] + w.plain(value))
		at = w.to
	}
}

// apart puts spaces round the encoded words of a phrase, which are none where they touch other text.
func apart(name string) string {
	var b strings.Builder
	at := 0
	for {
		w, ok := nextWord(name, at)
		if !ok {
			return b.String() + name[at:]
		}
		b.WriteString(name[at:w.from])
		if w.from > 0 && !isBlank(name[w.from-1]) {
			b.WriteByte(' ')
		}
		b.WriteString(name[w.from:w.to])
		if w.to < len(name) && !isBlank(name[w.to]) {
			b.WriteByte(' ')
		}
		at = w.to
	}
}

// isEncodedWord reports whether word is an encoded word as a whole.
func isEncodedWord(word string) bool {
	w, ok := nextWord(word, 0)
	return ok && w.from == 0 && w.to == len(word) && isASCII(word)
}

// cutWord returns the white space at the start of s and the word after it.
func cutWord(s string) (gap, word string) {
	rest := strings.TrimLeft(s, " \t")
	gap = s[:len(s)-len(rest)]
	if i := strings.IndexAny(rest, " \t"); i >= 0 {
		rest = rest[:i]
	}
	return gap, rest
}
