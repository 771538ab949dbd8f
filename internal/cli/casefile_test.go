package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A testCase is one file of testdata/cases: what a caller does, and what the caller and the
// recipient see. Lines of "key: value" come first, then sections that begin with a line
// "-- name --". Of the sections, want and log are written by -update, the others by hand; a case has a log
// if the section is there.
type testCase struct {
	path, group, name string

	outcome string   // one sentence for docs/cases.md
	runs    []string // command lines in the order of their calls; each reads the whole input
	exits   []int    // the exit code of each: -update does not change them
	uid     int
	drop    []string // keys of the configuration that are left out
	script  []string // "STAGE REPLY": what Exchange Online answers in place of 250

	stdin, config, aliases string
	want                   string
	log                    string // what the log says on every route
	logged                 bool

	head string // the file up to the section want
}

// caseSections are the sections in the order of the file.
var caseSections = []string{"stdin", "stdin.quoted", "config", "aliases", "want", "log"}

// noUser is a user id that has no entry in /etc/passwd on any machine that tests run on.
const noUser = 54321

func readCase(path string) (*testCase, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &testCase{
		path: path, group: filepath.Base(filepath.Dir(path)),
		name: strings.TrimSuffix(filepath.Base(path), ".case"), uid: noUser,
	}
	c.head, c.want, _ = strings.Cut(string(data), "-- want --\n")
	c.want, c.log, c.logged = strings.Cut(c.want, "-- log --\n")
	lead, sections := splitSections(c.head)
	for _, line := range strings.Split(strings.TrimSpace(lead), "\n") {
		if err := c.set(line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for name, text := range sections {
		switch name {
		case "stdin":
			c.stdin = text
		case "stdin.quoted":
			if c.stdin, err = unquoteLines(text); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		case "config":
			c.config = text
		case "aliases":
			c.aliases = text
		default:
			return nil, fmt.Errorf("%s: section %q is none of %q", path, name, caseSections)
		}
	}
	if c.outcome == "" || len(c.runs) == 0 || len(c.exits) != len(c.runs) {
		return nil, fmt.Errorf("%s: outcome, run and as many exits as runs are needed", path)
	}
	return c, nil
}

func (c *testCase) set(line string) error {
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	var err error
	switch key {
	case "outcome":
		c.outcome = value
	case "run":
		c.runs = append(c.runs, value)
	case "exit":
		var n int
		n, err = strconv.Atoi(value)
		c.exits = append(c.exits, n)
	case "uid":
		c.uid, err = strconv.Atoi(value)
	case "drop":
		c.drop = strings.Fields(value)
	case "script":
		c.script = append(c.script, value)
	default:
		err = fmt.Errorf("key %q is not known", key)
	}
	return err
}

// splitSections cuts text at its "-- name --" lines.
func splitSections(text string) (lead string, sections map[string]string) {
	sections = map[string]string{}
	name, from := "", 0
	take := func(to int) {
		if name == "" {
			lead = text[:to]
		} else {
			sections[name] = text[from:to]
		}
	}
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n') + at + 1
		if end == at {
			end = len(text)
		}
		line := strings.TrimSuffix(text[at:end], "\n")
		if n, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(n, " --") && len(n) > 3 {
			take(at)
			name, from = strings.TrimSuffix(n, " --"), end
		}
		at = end
	}
	take(len(text))
	return lead, sections
}

// unquoteLines reads lines of a quoted text, or of one and how often it stands there: "x" * 998.
func unquoteLines(text string) (string, error) {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return "", fmt.Errorf("line %q: %w", line, err)
		}
		s, _ := strconv.Unquote(quoted)
		times := 1
		if rest := strings.TrimSpace(line[len(quoted):]); rest != "" {
			if times, err = strconv.Atoi(strings.TrimPrefix(rest, "* ")); err != nil {
				return "", fmt.Errorf("line %q: %w", line, err)
			}
		}
		b.WriteString(strings.Repeat(s, times))
	}
	return b.String(), nil
}

// words splits a command line at blanks; a word in quotes is as in Go.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			s, _ := strconv.Unquote(quoted)
			out, line = append(out, s), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out, line = append(out, word), rest
	}
	return out
}

// readCases reads all cases, sorted by group and name.
func readCases(t *testing.T) []*testCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/cases/*/*.case")
	if err != nil {
		t.Fatal(err)
	}
	cases := make([]*testCase, 0, len(paths))
	for _, p := range paths {
		c, err := readCase(p)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// visible shows bytes as text: LF for CRLF, and what is not to be seen escaped. A line of a
// message that is too long to look at is cut, and so is the message, with the size in
// place of the rest.
func visible(data []byte, longest, most int) string {
	var b strings.Builder
	for line := range bytes.Lines(data) {
		end := "\n"
		switch {
		case bytes.HasSuffix(line, []byte("\r\n")):
			line = line[:len(line)-2]
		case bytes.HasSuffix(line, []byte("\n")):
			line, end = line[:len(line)-1], "[LF]\n"
		default:
			end = "[no line end]\n"
		}
		if n := len(line); n > longest {
			line, end = line[:longest/2], fmt.Sprintf("[%d bytes]", n)+end
		}
		b.WriteString(escape(line) + end)
		if b.Len() > most {
			fmt.Fprintf(&b, "[%d bytes in all]\n", len(data))
			break
		}
	}
	return b.String()
}

// escape writes control characters and what is no UTF-8 as \x1b.
func escape(line []byte) string {
	var b strings.Builder
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, line[0])
		} else {
			b.WriteRune(r)
		}
		line = line[n:]
	}
	return b.String()
}
