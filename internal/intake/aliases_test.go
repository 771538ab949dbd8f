package intake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const sample = `# comment
mailer-daemon: postmaster
postmaster: root
Root: it@contoso.com,
  "second person"@contoso.com , third@contoso.com

"odd:name": odd@contoso.com
pipe: "|/usr/bin/program -a, b", ok@contoso.com
file: /var/mail/x
list: :include:/etc/list
a: b
b: a
self: \self
here: root@web1
dup: one@contoso.com
dup: two@contoso.com
no colon here
c0:c1
c1:c2
c2:c3
c3:c4
c4:c5
c5:c6
c6:c7
c7:c8
c8:c9
c9:c10
c10:c11
c11:c12
c12:end@contoso.com
`

func book(t *testing.T, catchAll string) *aliasBook {
	t.Helper()
	table, err := parseAliases(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	return &aliasBook{
		Config:   map[string][]string{"Www-Data": {"web@contoso.com", "postmaster"}},
		File:     func() (*AliasTable, error) { return table, nil },
		CatchAll: catchAll,
		IsLocal:  func(d string) bool { return d == "web1" },
	}
}

func TestResolveAliases(t *testing.T) {
	t.Parallel()
	root := []string{"it@contoso.com", `"second person"@contoso.com`, "third@contoso.com"}
	for _, c := range []struct {
		name, catchAll string
		want           []string
		err            string
	}{
		{name: "root", want: root},
		{name: "ROOT", want: root},
		{name: "mailer-daemon", want: root},
		{name: "www-data", want: append([]string{"web@contoso.com"}, root...)},
		{name: "odd:name", want: []string{"odd@contoso.com"}},
		{name: "pipe", want: []string{"ok@contoso.com"}},
		{name: "file", err: "no alias names it"},
		{name: "file", catchAll: "all@contoso.com", want: []string{"all@contoso.com"}},
		{name: "list", err: "no alias names it"},
		{name: "a", err: "leads back"},
		{name: "a", catchAll: "all@contoso.com", want: []string{"all@contoso.com"}},
		{name: "self", err: "ends at this host"},
		{name: "self", catchAll: "all@contoso.com", want: []string{"all@contoso.com"}},
		{name: "here", want: root},
		{name: "dup", want: []string{"one@contoso.com"}},
		{name: "pi", err: `no mailbox for the local name "pi"`},
		{name: "pi", catchAll: "all@contoso.com", want: []string{"all@contoso.com"}},
		{name: "pi", catchAll: "bare", err: "no mailbox"},
		{name: "c0", err: "longer than 10"},
		{name: "c2", want: []string{"end@contoso.com"}},
	} {
		got, err := book(t, c.catchAll).resolve(c.name)
		if c.err != "" {
			var u *unknownError
			if !errors.As(err, &u) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s (catch-all %q): %q, %v, want %q", c.name, c.catchAll, got, err, c.want)
		}
	}
}

func TestAliasWarnings(t *testing.T) {
	t.Parallel()
	table, err := parseAliases(strings.NewReader("  lost\n" + sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range table.Warnings {
		got = append(got, w.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"goes on with no entry", "programs are not run", "files are not written", ":include: lists are not read",
		"a second time", "is not 'name: target'",
	} {
		if strings.Count(all, want) != 1 {
			t.Errorf("want one warning %q in:\n%s", want, all)
		}
	}
}

func TestLoadAliases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if table, err := LoadAliases(filepath.Join(dir, "none")); err != nil || len(table.Names()) != 0 {
		t.Errorf("missing file: %v, %v", table, err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := LoadAliases(fifo); done <- err }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("FIFO: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a FIFO holds the caller")
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxAliasFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAliases(big); err == nil {
		t.Error("a huge file was read")
	}
}

func FuzzParseAliases(f *testing.F) {
	f.Add(sample)
	f.Add("\"a: b\n\\")
	f.Add("a:\"b,c\\\"\n b")
	f.Fuzz(func(t *testing.T, s string) {
		table, err := parseAliases(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		b := &aliasBook{File: func() (*AliasTable, error) { return table, nil }}
		for _, n := range table.Names() {
			out, err := b.resolve(n)
			if err == nil && len(out) == 0 {
				t.Errorf("%q: neither targets nor an error", n)
			}
			for _, a := range out {
				if strings.ContainsAny(a, "\r\n") || !strings.Contains(a, "@") {
					t.Errorf("%q: target %q", n, a)
				}
			}
		}
	})
}

// TestTargetForms: a target is an address in any form of RFC 5322, and found to be local in each.
func TestAliasTargetForms(t *testing.T) {
	t.Parallel()
	b := aliasBook{
		Config: map[string][]string{
			"all": {"joe @ web1", "Ann <ann@web1>", "<bob@example.org>", "cid@ example . org", `"d e"@example.org`,
				`"x"y@example.org`},
			"joe":  {"j@example.org"},
			"ann":  {"a@example.org"},
			"root": {"root@example.org"},
		},
		IsLocal: func(domain string) bool { return domain == "web1" },
	}
	got, err := b.resolve("all")
	want := "[j@example.org a@example.org bob@example.org cid@example.org \"d e\"@example.org \"x\"y@example.org]"
	if fmt.Sprint(got) != want || err != nil {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}
