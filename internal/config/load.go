package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/sysexits"
)

// Loader reads a configuration. The zero value is what Load uses.
type Loader struct {
	// Getenv finds $CREDENTIALS_DIRECTORY for a file named credential:NAME. It is asked for
	// nothing else, and may be nil where there is no such file.
	Getenv func(string) string
	// Trusted takes only a regular file of root's or the service user's that nobody else can write,
	// in directories of the same kind. The error for any other is ErrUntrusted.
	Trusted bool

	judge judge
}

// Load reads and checks the file at path. The error lists every fault (Errors) and carries exit code 78, or 74 or 75
// for one that is Passing; errors.Is knows fs.ErrPermission and fs.ErrNotExist in it.
func (l Loader) Load(path string) (*Config, error) {
	r := l.load(path, false)
	if len(r.faults) > 0 {
		r.faults.sort()
		return nil, sysexits.With(exitCode(r.faults), r.faults)
	}
	return r.c, nil
}

// LoadLenient reads what can be read, for the agent, which must keep mail whatever the file
// says. A key that is broken has its default, and the faults are listed (each an *Error). A
// file that others could have written is not believed at all.
func (l Loader) LoadLenient(path string) (*Config, []error) {
	r := l.load(path, true)
	r.faults.sort()
	return r.c, r.faults.Unwrap()
}

// reader is one reading of a file.
type reader struct {
	c      *Config
	file   string
	lines  map[string]int
	faults Errors
	// patched is set when lines were left out to get at the rest: unknown keys then say nothing.
	patched bool
	// bad holds the keys that have a fault, so that they are not called missing too.
	bad []string
}

func (l Loader) load(path string, lenient bool) *reader {
	r := &reader{c: &Config{Path: path, getenv: l.Getenv, judge: l.judge}, file: path}
	r.defaults()
	data, st, fault := l.read(path)
	if fault != nil {
		r.faults = append(r.faults, fault)
		r.derive()
		return r
	}
	if fault := l.judge.fault(path, st, false); fault != nil {
		r.faults = append(r.faults, fault)
		if lenient {
			r.derive()
			return r
		}
	}
	secret := r.document(string(data), lenient)
	if fault := l.judge.fault(path, st, secret); fault != nil && !r.told(fault) {
		r.faults = append(r.faults, fault)
	}
	r.spare()
	return r
}

// spare takes the faults of keys that mail does without off the others, and those keys back.
func (r *reader) spare() {
	var grave Errors
	for _, f := range r.faults {
		name, _, _ := strings.Cut(f.Key, "[")
		k := lookup(name)
		if k == nil || !k.Optional || f.syntax {
			grave = append(grave, f)
			continue
		}
		r.c.Ignored = append(r.c.Ignored, f)
		r.c.origins = slices.DeleteFunc(r.c.origins, func(o origin) bool { return o.name == name })
		reflect.ValueOf(k.field(r.c)).Elem().SetZero()
		r.setDefault(k)
	}
	r.faults = grave
	r.c.Ignored.sort()
}

func (l Loader) read(path string) ([]byte, *syscall.Stat_t, *Error) {
	if l.Trusted {
		return l.judge.readTrusted(path)
	}
	return read(path, 0)
}

// document takes in the file's text, and reports whether there is a secret in it.
func (r *reader) document(src string, lenient bool) (secret bool) {
	tree := r.parse(src, lenient)
	if tree == nil {
		r.derive()
	} else {
		r.table("", tree)
		r.derive()
		r.combine()
		r.advise()
	}
	return r.carriesSecret(src, tree)
}

// told avoids saying the same of the file twice.
func (r *reader) told(e *Error) bool {
	for _, f := range r.faults {
		if f.Problem == e.Problem {
			return true
		}
	}
	return false
}

// carriesSecret reports whether the file holds a secret; one that can't be read might.
func (r *reader) carriesSecret(src string, tree map[string]any) bool {
	if tree == nil || r.patched {
		return strings.Contains(src, "client_secret") || strings.Contains(src, "webhook") ||
			strings.Contains(src, "heartbeat")
	}
	return slices.ContainsFunc(Keys(), func(k *Key) bool {
		in := tree
		if table, _, ok := strings.Cut(k.Name, "."); ok {
			in, _ = tree[table].(map[string]any)
		}
		_, ok := in[k.base()]
		return k.Secret() && ok
	})
}

// defaults fills in the table's defaults and those of the file's place.
func (r *reader) defaults() {
	for i := range groups {
		for j := range groups[i].keys {
			r.setDefault(&groups[i].keys[j])
		}
	}
	if home := userHome(r.file); home != "" {
		r.c.Cache.Dir = filepath.Join(home, ".cache", "o365-sendmail")
		r.c.Spool.Dir = ""
	}
}

func (r *reader) setDefault(k *Key) {
	v := k.defaultFor(r.c.Kind)
	if n, ok := v.(int); ok {
		v = int64(n)
	}
	if v != nil {
		r.set(k, k.Name, v)
	}
}

// defaultFor is the key's default for that kind of account, as TOML would hold it; nil when there is none.
func (k *Key) defaultFor(kind string) any {
	if k.ofKind != nil {
		return k.ofKind(account.Of(kind))
	}
	return k.Default
}

// fault notes what is wrong with a key.
func (r *reader) fault(name string, e Error) {
	e.File, e.Key = r.file, name
	if e.Line == 0 {
		e.Line = lineOf(r.lines, name)
	}
	r.faults = append(r.faults, &e)
	r.bad = append(r.bad, name)
}

// tree is what the parser found, without the detour through reflection.
type tree map[string]any

// UnmarshalTOML takes the parsed document as it is.
func (t *tree) UnmarshalTOML(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("a document is a table, not %T", v)
	}
	*t = m
	return nil
}

// decode parses src. A panic of the parser is an error like any other: the agent must start.
func decode(src string) (t tree, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, errors.New("the parser gave up")
		}
	}()
	_, err = toml.Decode(src, &t)
	return t, err
}

// parse returns the document, or nil when it is not TOML. Lenient leaves bad lines out.
func (r *reader) parse(src string, lenient bool) map[string]any {
	if strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff") || strings.IndexByte(src, 0) >= 0 {
		r.faults = append(r.faults, &Error{File: r.file, Problem: "is not UTF-8 text", Hint: "save it as UTF-8"})
		return nil
	}
	src = strings.TrimPrefix(src, "\xef\xbb\xbf")
	for tries := 0; ; tries++ {
		found := locate(src)
		r.lines = found.lines
		if found.deep > 0 {
			r.faults = append(r.faults, &Error{File: r.file, Line: found.deep, Problem: "nests too deep"})
			return nil
		}
		t, err := decode(found.plain)
		if err == nil {
			if t == nil {
				t = tree{}
			}
			return t
		}
		fault := syntaxFault(found.plain, found.lines, err)
		fault.File, fault.syntax = r.file, true
		r.faults = append(r.faults, fault)
		patched, ok := leaveOut(src, fault.Line)
		if !lenient || !ok || tries == 20 {
			return nil
		}
		src, r.patched = patched, true
	}
}

// leftOut is what stands for a line that could not be read.
const leftOut = "#unreadable"

// leaveOut blanks a line. For a table's header another one stands in, so that the keys below it
// don't fall to the table above.
func leaveOut(src string, line int) (string, bool) {
	all := strings.Split(src, "\n")
	if line < 1 || line > len(all) {
		return "", false
	}
	old := strings.TrimSpace(all[line-1])
	switch {
	case strings.HasPrefix(old, leftOut) || strings.HasSuffix(old, leftOut):
		return "", false
	case strings.HasPrefix(old, "["):
		all[line-1] = fmt.Sprintf("[unreadable.line-%d] %s", line, leftOut)
	default:
		all[line-1] = leftOut
	}
	return strings.Join(all, "\n"), true
}
