package rfc822

import "bytes"

// foldAt is the line length that folding aims at, without CRLF: RFC 5322 2.1.1 would allow 78, RFC 2047 2
// with encoded words 76.
const foldAt = 76

// appendFolded appends a line of a header and its CRLF, folded at white space so that its pieces have
// at most 76 bytes where white space allows it. A piece that would still pass 998
// bytes is split by CRLF SP, after a comma or the like if there is one. The first start
// bytes of line, a field's name and colon, stay together.
//
// Unfolding gives the line back, but for the spaces of such splits and for runs of white
// space longer than a line, which become one space.
func appendFolded(dst, line []byte, start int) []byte {
	if len(line) > maxLine {
		line = squeeze(line, start)
	}
	for len(line) > foldAt {
		i := foldPoint(line, start)
		if i < 0 {
			break
		}
		dst = append(dst, line[:i]...)
		dst = append(dst, '\r', '\n')
		if !isBlank(line[i]) {
			dst = append(dst, ' ')
		}
		line, start = line[i:], 0
	}
	dst = append(dst, line...)
	return append(dst, '\r', '\n')
}

// foldPoint returns where the next piece begins, -1 if line can stay as it is.
func foldPoint(line []byte, start int) int {
	const limit = maxLine - 1 // a space may come in front
	low := start              // not before the first word, so that no line is all white space
	for low < len(line) && isBlank(line[low]) {
		low++
	}
	for i := foldAt; i > low; i-- {
		if isFold(line, i) {
			return i
		}
	}
	for i := max(foldAt, low) + 1; i <= limit && i < len(line); i++ {
		if isFold(line, i) {
			return i
		}
	}
	if len(line) <= limit {
		return -1
	}
	if start > 0 && low > start && low <= limit && len(line)-low < limit {
		return low - 1 // the name stands alone, which is legal
	}
	from := min(max(low, 1), limit)
	if i := bytes.LastIndexAny(line[from:limit], ",;>"); i >= 0 {
		return from + i + 1
	}
	return max(limit, start)
}

// isFold reports whether the line may be folded before i: there is white space, and
// text follows it, so that no line consists of white space alone.
func isFold(line []byte, i int) bool {
	return i+1 < len(line) && isBlank(line[i]) && !isBlank(line[i+1])
}

// squeeze drops white space at the end, and makes one space of each run that is
// too long to be put on a line with anything else.
func squeeze(line []byte, start int) []byte {
	const longest = maxLine / 2
	trimmed := bytes.TrimRight(line, " \t")
	if len(trimmed) == 0 {
		return line[:1]
	}
	out := make([]byte, 0, len(trimmed))
	run := 0
	for i, c := range trimmed {
		if !isBlank(c) || i < start {
			if run > longest {
				out = append(out[:len(out)-run], ' ')
			}
			run = 0
		} else {
			run++
		}
		out = append(out, c)
	}
	return out
}
