package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add(full)
	f.Add(Sample())
	files, _ := filepath.Glob("testdata/bad/*.toml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range locateCases {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, src string) {
		strict := fuzzReading(t, src, false)
		lenient := fuzzReading(t, src, true)
		if len(strict.faults) == 0 && len(lenient.faults) > 0 || len(strict.faults) > 0 && len(lenient.faults) == 0 {
			t.Errorf("strict: %v; lenient: %v", strict.faults, lenient.faults)
		}
		checkLocate(t, src)
		for _, s := range strict.c.Effective() {
			if s.Value == "" || s.Value == "[redacted]" {
				continue
			}
			if _, err := decode("x = " + s.Value); err != nil {
				t.Errorf("%s = %s: %v", s.Key, s.Value, err)
			}
		}
	})
}

// fuzzReading reads src and checks that each fault is one line that could be printed anywhere.
func fuzzReading(t *testing.T, src string, lenient bool) *reader {
	r := &reader{c: &Config{Path: "x.toml"}, file: "x.toml"}
	r.defaults()
	r.document(src, lenient)
	r.faults.sort()
	for _, e := range append(r.faults, r.c.Warnings...) {
		line := e.Error()
		if !utf8.ValidString(line) || strings.IndexFunc(line, func(c rune) bool { return !unicode.IsGraphic(c) }) >= 0 {
			t.Errorf("not one clean line: %q", line)
		}
		if e.Line > strings.Count(src, "\n")+1 {
			t.Errorf("the file has no line %d: %s", e.Line, line)
		}
		if s := r.c.ClientSecret.Reveal(); len(s) > 8 && strings.Count(src, s) == 1 && strings.Contains(line, s) && !ourWords(e, s) {
			t.Errorf("the secret is shown: %s", line)
		}
	}
	if r.c.Credential.Type == "" || r.c.SMTP.Port < 1 || r.c.Delivery.Connections < 1 {
		t.Errorf("no default: %+v", r.c)
	}
	return r
}

// ourWords reports whether s is part of what the program itself says about the key, whatever
// the file holds.
func ourWords(e *Error, s string) bool {
	k := lookup(e.Key)
	return k != nil && strings.Contains(k.Expects()+k.Example+k.Help+k.More, s) || strings.Contains(e.Hint, s) && strings.Contains(Sample(), s)
}

// checkLocate holds locate against the parser: the same document without comments, and a line
// for each key.
func checkLocate(t *testing.T, src string) {
	t.Helper()
	src = strings.TrimPrefix(src, "\xef\xbb\xbf")
	found := locate(src)
	if strings.Count(found.plain, "\n") != strings.Count(src, "\n") {
		t.Error("lines are lost")
	}
	if found.deep > 0 || strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff") {
		return
	}
	want, err := decode(src)
	if err != nil {
		return
	}
	got, err := decode(found.plain)
	if err != nil || !same(map[string]any(got), map[string]any(want)) {
		t.Errorf("without comments: %v, got %v, want %v", err, got, want)
	}
	if strings.ContainsRune(src, '\\') {
		return // escapes in keys are read as far as Go's go
	}
	for _, name := range names("", map[string]any(want)) {
		if n := found.lines[name]; n < 1 || n > strings.Count(src, "\n")+1 {
			t.Errorf("%s is on line %d", name, n)
		}
	}
}

// same is reflect.DeepEqual with NaN equal to itself.
func same(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && (x == y || x != x && y != y)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if v, ok := y[k]; !ok || !same(x[k], v) {
				return false
			}
		}
		return true
	case []map[string]any:
		y, ok := b.([]map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// names lists the dotted names of a document's keys, down to tables in arrays.
func names(prefix string, t map[string]any) []string {
	var all []string
	for k, v := range t {
		name := join(prefix, k)
		all = append(all, name)
		if sub, ok := v.(map[string]any); ok {
			all = append(all, names(name, sub)...)
		}
	}
	return all
}

var locateCases = []string{
	"a = 1 # one\n[b] # two\nc.d = [1, # three\n 2, [3]]\n'e f'.\"g#h\" = '#'\n",
	"a = '''\n# no comment\n'''' # one\nb = \"\"\"\\\"\"\"\" # two\n\"\" = 1\n",
	"[[x]]\na = 1\n[[x]]\na = 2\n[[x.y]]\nb = { c = [ { d = 1 }, ], e = \"}\" }\n",
	"a = { b = 1, # c\n c = 2 }\nd = 2027-01-31 10:00:00 # e\nf = -1e3\n",
	"a=[]\nb={}\nc=\"\"\nd=''\ne=\"\"\"\"\"\"\nf=''''''\n",
}

func TestLocate(t *testing.T) {
	t.Parallel()
	for _, src := range append(locateCases, minimal, full, Sample()) {
		checkLocate(t, src)
	}
	l := locate(locateCases[2])
	for name, want := range map[string]int{"x[1].a": 2, "x[2].a": 4, "x.y[1].b": 6, "x.y[1].b.c[1].d": 6, "x.y[1].b.e": 6} {
		if l.lines[name] != want {
			t.Errorf("%s is on line %d, want %d", name, l.lines[name], want)
		}
	}
}
