package intake

import (
	"fmt"
	"sort"
	"strings"

	"o365-sendmail/rfc822"
)

// maxDepth bounds a chain of aliases, and maxTargets what one name may become.
const (
	maxDepth   = 10
	maxTargets = 1000
)

// aliasBook answers where mail for a local name goes: first by the configuration's own
// table, then by the alias file, then by the catch-all.
type aliasBook struct {
	// Config is the [aliases] table; its names are matched without regard to case.
	Config map[string][]string
	// File is the alias file, read once and only when Config has no answer; nil means none.
	File func() (*AliasTable, error)
	// CatchAll gets what nothing else names (root_to); "" means nobody does.
	CatchAll string
	// IsLocal reports whether a target's domain is this host, so that root@thishost is looked up too.
	IsLocal func(domain string) bool
}

// unknownError is a local name that has no target.
type unknownError struct {
	Name   string
	Reason string
}

func (e *unknownError) Error() string {
	return fmt.Sprintf("no mailbox for the local name %.128q: %s", e.Name, e.Reason)
}

// resolve returns the addresses, each with a domain that is not this host, that mail
// for the local name goes to. Chains are followed to a depth of 10, a loop is an
// error, and duplicates are dropped. The error is an *unknownError, or says why the
// alias file can't be read.
func (b *aliasBook) resolve(local string) ([]string, error) {
	w := aliasWalk{book: b, onPath: map[string]bool{}, seen: map[string]bool{}}
	if err := w.name(local, 0); err != nil {
		return nil, err
	}
	if len(w.out) == 0 {
		return nil, &unknownError{local, "its alias has no usable target; give it one in [aliases] or set root_to"}
	}
	return w.out, nil
}

type aliasWalk struct {
	book   *aliasBook
	onPath map[string]bool
	seen   map[string]bool
	out    []string
}

func (w *aliasWalk) name(local string, depth int) error {
	key := strings.ToLower(local)
	if w.onPath[key] {
		return w.catchAll(local, "its alias leads back to itself")
	}
	if depth > maxDepth {
		return &unknownError{local, fmt.Sprintf("its chain of aliases is longer than %d", maxDepth)}
	}
	targets, found, err := w.book.lookup(key)
	if err != nil {
		return err
	}
	if !found || len(targets) == 0 {
		return w.catchAll(local, "no alias names it and root_to is not set")
	}
	w.onPath[key] = true
	defer delete(w.onPath, key)
	for _, t := range targets {
		if err := w.target(t, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *aliasWalk) target(t string, depth int) error {
	// A leading backslash says: look no further. Nothing is delivered here, so the
	// catch-all gets it.
	if rest, ok := strings.CutPrefix(t, `\`); ok {
		return w.catchAll(rest, "its alias ends at this host and root_to is not set")
	}
	t = unquote(t)
	a, err := rfc822.ParseAddress(t)
	switch {
	case strings.IndexByte(t, '@') < 0:
		return w.name(t, depth+1)
	case err != nil || a.Domain == "":
		return w.take(t) // who resolves the name says what is wrong with it
	case w.book.IsLocal != nil && w.book.IsLocal(a.Domain):
		return w.name(a.Local, depth+1)
	}
	return w.take(a.Addr())
}

// unquote strips the quotes of a target that is quoted as a whole; those of a quoted
// local part stay.
func unquote(t string) string {
	if len(t) > 1 && t[0] == '"' && t[len(t)-1] == '"' {
		return t[1 : len(t)-1]
	}
	return t
}

func (w *aliasWalk) take(addr string) error {
	if w.seen[strings.ToLower(addr)] {
		return nil
	}
	if len(w.out) == maxTargets {
		return &unknownError{addr, fmt.Sprintf("its alias has more than %d targets", maxTargets)}
	}
	w.seen[strings.ToLower(addr)] = true
	w.out = append(w.out, addr)
	return nil
}

func (w *aliasWalk) catchAll(local, reason string) error {
	c := w.book.CatchAll
	if c == "" || strings.IndexByte(c, '@') < 0 {
		return &unknownError{local, reason}
	}
	return w.take(c)
}

func (b *aliasBook) lookup(key string) ([]string, bool, error) {
	for name, targets := range b.Config {
		if strings.EqualFold(name, key) {
			return targets, true, nil
		}
	}
	if b.File == nil {
		return nil, false, nil
	}
	t, err := b.File()
	if err != nil || t == nil {
		return nil, false, err
	}
	targets, ok := t.entries[key]
	return targets, ok, nil
}

// Names returns the table's names in order.
func (t *AliasTable) Names() []string {
	names := make([]string, 0, len(t.entries))
	for n := range t.entries {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
