package setup

import (
	"bytes"
	"fmt"
	"strings"
)

// Change is a key of the configuration and its new value.
type Change struct {
	Key string // dotted: the part before the dot is the table
	// Value is TOML text; nil takes the key out.
	Value []byte
	// Secret keeps the value out of what is shown.
	Secret bool
}

// Edit changes keys in the text of a configuration and leaves everything else, comments
// included, as it is. A key that stands there as a comment only, as in the sample file,
// takes that line's place. It knows no values of several lines for the keys that it
// changes: what it makes has to be read and checked before it is used.
func Edit(text []byte, changes []Change) ([]byte, error) {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	} else {
		lines[len(lines)-1] += "\n"
	}
	for _, c := range changes {
		var err error
		if lines, err = edit(lines, c); err != nil {
			return nil, err
		}
	}
	return []byte(strings.Join(lines, "")), nil
}

func edit(lines []string, c Change) ([]string, error) {
	table, key, ok := strings.Cut(c.Key, ".")
	if !ok {
		table, key = "", c.Key
	}
	if bytes.ContainsAny(c.Value, "\r\n") {
		return nil, fmt.Errorf("%s: a value of several lines can't be set here", c.Key)
	}
	begin, end, found := section(lines, table)
	active, comment := -1, -1
	for i := begin; i < end; i++ {
		switch {
		case names(lines[i], key):
			active = i
		case comment < 0 && names(strings.TrimPrefix(strings.TrimLeft(lines[i], " \t"), "#"), key) && strings.HasPrefix(strings.TrimLeft(lines[i], " \t"), "#"):
			comment = i
		}
	}
	line := key + " = " + string(c.Value) + "\n"
	switch {
	case active >= 0 && openEnded(lines[active]):
		return nil, fmt.Errorf("%s has a value of several lines: change it by hand", c.Key)
	case active >= 0 && c.Value == nil:
		return append(lines[:active:active], lines[active+1:]...), nil
	case active >= 0 && sameValue(lines[active], string(c.Value)):
	case active >= 0:
		lines[active] = line
	case c.Value == nil:
	case comment >= 0:
		lines[comment] = line
	case found:
		return insert(lines, lastLine(lines, begin, end), line), nil
	default:
		return append(lines, "\n["+table+"]\n", line), nil
	}
	return lines, nil
}

// sameValue reports whether a line has that value already, whatever its spacing and comment.
func sameValue(line, value string) bool {
	_, was, _ := strings.Cut(line, "=")
	rest, ok := strings.CutPrefix(strings.TrimSpace(was), value)
	rest = strings.TrimSpace(rest)
	return ok && (rest == "" || rest[0] == '#')
}

// KeyChange is a key that would change: its values as TOML text, "" for none.
type KeyChange struct {
	Key string `json:"key"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Compare lists what changes do to the keys of a text. Secrets are left out.
func Compare(text []byte, changes []Change) []KeyChange {
	lines := strings.SplitAfter(string(text), "\n")
	list := []KeyChange{}
	for _, c := range changes {
		old, set := current(lines, c.Key)
		k := KeyChange{Key: c.Key, Old: old, New: string(c.Value)}
		if c.Value == nil && !set || c.Value != nil && set && sameValue("="+old, k.New) {
			continue
		}
		if c.Secret {
			k.Old, k.New = redact(k.Old), redact(k.New)
		}
		list = append(list, k)
	}
	return list
}

func redact(value string) string {
	if value == "" {
		return ""
	}
	return `"[redacted]"`
}

// current returns the value of a key, which may have a comment behind it.
func current(lines []string, key string) (value string, set bool) {
	table, name, ok := strings.Cut(key, ".")
	if !ok {
		table, name = "", key
	}
	begin, end, _ := section(lines, table)
	for _, line := range lines[begin:end] {
		if names(line, name) {
			_, value, _ = strings.Cut(line, "=")
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// section returns the lines of a table, without its header; the top one is named "".
func section(lines []string, table string) (begin, end int, found bool) {
	begin, found = 0, table == ""
	for i, l := range lines {
		name, is := header(l)
		if !is {
			continue
		}
		if found {
			return begin, i, true
		}
		if name == table {
			begin, found = i+1, true
		}
	}
	if !found {
		return 0, 0, false
	}
	return begin, len(lines), true
}

// header reads "[table]", and "[[table]]" as another table.
func header(line string) (name string, ok bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "[") {
		return "", false
	}
	name, rest, ok := strings.Cut(line[1:], "]")
	if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' && rest[0] != ']' {
		return "", false
	}
	return strings.TrimSpace(name), true
}

// names reports whether a line sets key.
func names(line, key string) bool {
	name, _, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	return ok && (name == key || name == `"`+key+`"` || name == "'"+key+"'")
}

// openEnded reports whether a value may go on in the next line.
func openEnded(line string) bool {
	_, value, _ := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	return strings.HasPrefix(value, `"""`) || strings.HasPrefix(value, "'''") ||
		strings.HasPrefix(value, "[") && !strings.Contains(value, "]") || strings.HasPrefix(value, "{") && !strings.Contains(value, "}")
}

// lastLine is where a new line of a section goes: behind its last line that says something.
func lastLine(lines []string, begin, end int) int {
	for end > begin && strings.TrimSpace(lines[end-1]) == "" {
		end--
	}
	return end
}

func insert(lines []string, at int, line string) []string {
	return append(lines[:at:at], append([]string{line}, lines[at:]...)...)
}
