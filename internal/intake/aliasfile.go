package intake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// Limits of a file: one that passes them is not an alias file.
const (
	maxAliasFile  = 4 << 20
	maxAliasEntry = 64 << 10
)

// AliasWarning is an entry, or a part of one, that is not used, and why.
type AliasWarning struct {
	Line int
	Name string
	Text string
}

func (w AliasWarning) String() string {
	return fmt.Sprintf("line %d: %q: %s", w.Line, w.Name, w.Text)
}

// AliasTable is an aliases(5) file. Nothing that an alias names is run or opened: commands, files and
// :include: lists are skipped, each with a warning. It maps lower-case local names to their targets as written.
type AliasTable struct {
	entries  map[string][]string
	Warnings []AliasWarning
}

// LoadAliases reads the file at path. A missing file is an empty table. Anything but a
// regular file is refused without being read, so that a FIFO can't hold the caller.
func LoadAliases(path string) (*AliasTable, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return &AliasTable{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("aliases can't be read: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("aliases can't be read: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("aliases can't be read: %s is not a regular file", path)
	}
	if fi.Size() > maxAliasFile {
		return nil, fmt.Errorf("aliases can't be read: %s is larger than %d MiB", path, maxAliasFile>>20)
	}
	t, err := parseAliases(f)
	if err != nil {
		return nil, fmt.Errorf("aliases can't be read: %s: %w", path, err)
	}
	return t, nil
}

// parseAliases reads an aliases(5) file: "name: target, target", lines that begin with
// white space go on with the entry before, "#" begins a comment at the start of a line.
// A faulty entry is skipped with a warning; only a read error is an error.
func parseAliases(r io.Reader) (*AliasTable, error) {
	t := &AliasTable{entries: map[string][]string{}}
	sc := bufio.NewScanner(io.LimitReader(r, maxAliasFile))
	sc.Buffer(make([]byte, 0, 4096), maxAliasEntry)
	var entry string
	start, n := 0, 0
	flush := func() {
		if entry != "" {
			t.add(start, entry)
		}
		entry = ""
	}
	for sc.Scan() {
		n++
		line := strings.TrimRight(strings.ReplaceAll(sc.Text(), "\r", " "), " \t")
		switch {
		case strings.TrimLeft(line, " \t") == "" || line[0] == '#':
			continue
		case line[0] == ' ' || line[0] == '\t':
			if entry == "" {
				t.warn(n, "", "goes on with no entry")
				continue
			}
			if len(entry)+len(line) > maxAliasEntry {
				t.warn(start, entryName(entry), "is too long")
				continue
			}
			entry += " " + strings.TrimLeft(line, " \t")
		default:
			flush()
			entry, start = line, n
		}
	}
	flush()
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		t.warn(n+1, "", "is too long; nothing after it is used")
		return t, nil
	}
	return t, sc.Err()
}

func entryName(entry string) string {
	name, _, _ := strings.Cut(entry, ":")
	return name
}

func (t *AliasTable) warn(line int, name, text string) {
	t.Warnings = append(t.Warnings, AliasWarning{line, name, text})
}

// add takes one logical line.
func (t *AliasTable) add(line int, entry string) {
	name, rest, ok := cutName(entry)
	if !ok || name == "" {
		t.warn(line, entryName(entry), "is not 'name: target'")
		return
	}
	key := strings.ToLower(name)
	if _, dup := t.entries[key]; dup {
		t.warn(line, name, "stands here a second time; the first entry counts")
		return
	}
	targets := []string{}
	for _, item := range splitTargets(rest) {
		if why := unusable(item); why != "" {
			t.warn(line, name, fmt.Sprintf("%s, and %.80q is skipped", why, item))
			continue
		}
		targets = append(targets, item)
	}
	t.entries[key] = targets
}

// unusable says why a target is never followed; "" means that it is an address.
func unusable(item string) string {
	bare := strings.TrimPrefix(unquote(item), `\`)
	switch {
	case strings.HasPrefix(bare, "|"):
		return "programs are not run"
	case strings.HasPrefix(bare, "/"):
		return "files are not written"
	case strings.HasPrefix(strings.ToLower(bare), ":include:"):
		return ":include: lists are not read"
	case strings.HasPrefix(bare, ":"):
		return "this directive is not known"
	}
	return ""
}

// cutName splits "name: rest"; the name may be quoted and then hold a colon.
func cutName(entry string) (name, rest string, ok bool) {
	if !strings.HasPrefix(entry, `"`) {
		name, rest, ok = strings.Cut(entry, ":")
		return strings.TrimSpace(name), rest, ok
	}
	end := strings.IndexByte(entry[1:], '"')
	if end < 0 {
		return "", "", false
	}
	name = entry[1 : end+1]
	rest, ok = strings.CutPrefix(strings.TrimLeft(entry[end+2:], " \t"), ":")
	return name, rest, ok
}

// splitTargets splits at commas outside double quotes.
func splitTargets(s string) []string {
	var out []string
	quoted, from := false, 0
	take := func(item string) {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				take(s[from:i])
				from = i + 1
			}
		}
	}
	take(s[from:])
	return out
}
