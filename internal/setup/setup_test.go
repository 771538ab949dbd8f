package setup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

const (
	someTenant = "6f1e9d1c-5b0a-4c5e-9a53-0c1d7c7b3a10"
	someClient = "2c1a7c38-8d27-4b0e-b6a4-7f0a4d3f9e21"
	someSecret = `abc8Q~"\TheValue.of-a-secret~0123456789`
)

func TestForms(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) }
	app, person := &Answers{Type: TypeSecret, Tenant: someTenant, Now: now}, &Answers{Type: TypeDevice, Now: now}
	tests := []struct {
		name    string
		form    form
		a       *Answers
		in      string
		out     string // "" when refused
		problem string
	}{
		{"tenant", tenantForm, app, someTenant, someTenant, ""},
		{"tenant", tenantForm, app, "{" + strings.ToUpper(someTenant) + "}", someTenant, ""},
		{"tenant", tenantForm, app, strings.ReplaceAll(someTenant, "-", ""), someTenant, ""},
		{"tenant", tenantForm, app, "Contoso.onmicrosoft.com", "contoso.onmicrosoft.com", ""},
		{"tenant", tenantForm, app, "common", "", "many tenants"},
		{"tenant", tenantForm, app, "consumers", "", "many tenants"},
		{"tenant", tenantForm, person, "consumers", "consumers", ""},
		{"tenant", tenantForm, app, "admin@contoso.com", "", "is an address"},
		{"tenant", tenantForm, app, someTenant[:35], "", "this has 35, so part of it is missing"},
		{"tenant", tenantForm, app, someTenant + "0", "", "this has 37, which is too long"},
		{"tenant", tenantForm, app, "6f1e9d1c-5bOa-4c5e-9a53-0c1d7c7b3a10", "", "character 12 is 'o', a zero perhaps"},
		{"tenant", tenantForm, app, "6f1e9d1c-5b0a-4c5e-9a53-0c1d7c7b3al0", "", "'l', a one perhaps"},
		{"tenant", tenantForm, app, "6f1e9d1c5-b0a-4c5e-9a53-0c1d7c7b3a10", "", "hyphen is in the wrong place"},
		{"tenant", tenantForm, app, "Contoso", "", "a domain: contoso.onmicrosoft.com perhaps"},
		{"tenant", tenantForm, app, "?", "", "is a GUID"},
		{"client", clientForm, app, someClient, someClient, ""},
		{"client", clientForm, app, strings.ToUpper(someTenant), "", "tenant's ID again"},
		{"client", clientForm, app, "o365-sendmail", "", "GUID"},
		{"secret", secretForm, app, someSecret, someSecret, ""},
		{"secret", secretForm, app, someClient, "", "Secret ID"},
		{"secret", secretForm, app, "abc******", "", "masked"},
		{"secret", secretForm, app, "short", "", "about 40 characters, this has 5"},
		{"secret", secretForm, app, "with a space in the middle of it", "", "neither spaces"},
		{"date", dateForm, app, "2027-01-31", "2027-01-31", ""},
		{"date", dateForm, app, "1/31/2028", "", "a date is written as 2027-01-31; 2028-01-31 perhaps"},
		{"date", dateForm, app, "31/1/2028", "", "; 2028-01-31 perhaps"},
		{"date", dateForm, app, "30.11.2028", "", "; 2028-11-30 perhaps"},
		{"date", dateForm, app, "4.5.2028", "", "; 2028-05-04 perhaps"},
		{"date", dateForm, app, "4/5/2028", "", "as year, month and day"},
		{"date", dateForm, app, "soon", "", "a date is written as 2027-01-31"},
		{"date", dateForm, app, "2026-11-25", "", "past"},
		{"mailbox", mailboxForm, app, "<noreply@contoso.com>", "noreply@contoso.com", ""},
		{"mailbox", mailboxForm, app, "noreply", "", "name@domain"},
		{"mailbox", mailboxForm, app, "noreply@web1", "", "full domain"},
		{"mailbox", mailboxForm, app, "root@localhost.localdomain", "", "full domain"},
		{"mailbox", mailboxForm, app, "no reply@contoso.com", "", "neither spaces"},
		{"mailbox", mailboxForm, app, "me@outlook.com", "", "--device-code"},
		{"mailbox", mailboxForm, person, "me@outlook.com", "me@outlook.com", ""},
		{"mailbox", mailboxForm, app, "me@gmail.com", "", "not a domain of Microsoft 365"},
		{"cloud", cloudForm, app, "GCC-High", "gcc-high", ""},
		{"cloud", cloudForm, app, "azure", "", "global"},
		{"type", typeForm, app, "Certificate", "certificate", ""},
		{"type", typeForm, app, "password", "", "one of"},
		{"path", pathForm, app, "/etc/key.pem", "/etc/key.pem", ""},
		{"path", pathForm, app, "key.pem", "", "absolute"},
		{"path", pathForm, app, "credential:key", "credential:key", ""},
	}
	for _, tt := range tests {
		out, err := tt.form(tt.a, tt.in)
		switch {
		case tt.out != "" && (err != nil || out != tt.out):
			t.Errorf("%s %q: %q, %v", tt.name, tt.in, out, err)
		case tt.out == "" && (err == nil || !strings.Contains(err.Error(), tt.problem)):
			t.Errorf("%s %q: %v, want %q", tt.name, tt.in, err, tt.problem)
		case tt.name == "secret" && err != nil && strings.Contains(err.Error(), tt.in):
			t.Errorf("the secret is in %q", err)
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	set := func(key, value string) []Change { return []Change{{Key: key, Value: []byte(value)}} }
	tests := []struct {
		name, in string
		changes  []Change
		out      string
	}{
		{"replaces", "a = 1\nb = 2\n", set("a", "3"), "a = 3\nb = 2\n"},
		{"takes a comment's place", "## A.\n# a = 1\nb = 2\n", set("a", "3"), "## A.\na = 3\nb = 2\n"},
		{"prefers the key to the comment", "# a = 1\na = 2\n", set("a", "3"), "# a = 1\na = 3\n"},
		{"adds to the top", "b = 2\n\n[t]\na = 1\n", set("a", "3"), "b = 2\na = 3\n\n[t]\na = 1\n"},
		{"keeps to its table", "a = 1\n[t]\na = 1 # one\n[u]\na = 1\n", set("t.a", "3"), "a = 1\n[t]\na = 3\n[u]\na = 1\n"},
		{"adds to a table", "[t]\nb = 1\n\n[u]\n", set("t.a", "3"), "[t]\nb = 1\na = 3\n\n[u]\n"},
		{"adds a table", "b = 1", set("t.a", "3"), "b = 1\n\n[t]\na = 3\n"},
		{"takes out", "a = 1\nb = 2\n", []Change{{Key: "a"}}, "b = 2\n"},
		{"takes out nothing", "# a = 1\n", []Change{{Key: "a"}}, "# a = 1\n"},
		{"into an empty file", "", set("a", "3"), "a = 3\n"},
		{"a quoted key", "\"a\" = 1\n", set("a", "3"), "a = 3\n"},
		{"not an array of tables", "[[t]]\na = 1\n", set("t.a", "3"), "[[t]]\na = 1\n\n[t]\na = 3\n"},
	}
	for _, tt := range tests {
		out, err := Edit([]byte(tt.in), tt.changes)
		if err != nil || string(out) != tt.out {
			t.Errorf("%s: %q, %v", tt.name, out, err)
		}
	}
	for _, in := range []string{"a = \"\"\"\nx\n\"\"\"\n", "a = [\n1\n]\n"} {
		if _, err := Edit([]byte(in), set("a", "3")); err == nil {
			t.Errorf("%q was edited", in)
		}
	}
	if _, err := Edit(nil, set("a", "1\nb = 2")); err == nil {
		t.Error("a value of two lines was written")
	}
}

// FuzzEdit: whatever the file, the key has its value afterwards, once, and no other line
// has changed.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{"", "a = 1\n", "# a = 1", "[t]\na = 2\n\n", "b = 1\r\n[t]\n", "a", "[", "=\n#=\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := Edit([]byte(in), []Change{{Key: "a", Value: []byte("3")}})
		if err != nil {
			return
		}
		again, err := Edit(out, []Change{{Key: "a", Value: []byte("3")}})
		if err != nil || !bytes.Equal(out, again) {
			t.Errorf("%q becomes %q and then %q, %v", in, out, again, err)
		}
		if n := strings.Count(string(out), "\n") - strings.Count(in, "\n"); n < 0 || n > 2 {
			t.Errorf("%q becomes %q", in, out)
		}
	})
}

func someAnswers() *Answers {
	return &Answers{Type: TypeSecret, Tenant: someTenant, ClientID: someClient, Secret: xoauth.NewSecret(someSecret), Mailbox: "noreply@contoso.com", RootTo: "it@contoso.com"}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o365.toml")
	now := func() time.Time { return time.Date(2026, 11, 25, 10, 15, 0, 0, time.UTC) }
	tried := 0
	f := &File{Path: path, Sample: []byte("# tenant = \"x\"\nclient_secret = \"placeholder\"\n"), Owner: Owner{GID: -1}, Now: now, Check: func(p string) error {
		tried++
		if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", fi, err)
		}
		return nil
	}}
	w, err := f.Write(someAnswers())
	if err != nil || w.Backup != "" || w.Mode != "0600" || !w.Changed || tried != 1 {
		t.Fatalf("%+v %v, tried %d times", w, err, tried)
	}
	first, _ := os.ReadFile(path)
	if w, err := f.Write(someAnswers()); err != nil || w.Changed || w.Backup != "" {
		t.Errorf("the same again: %+v %v", w, err)
	}
	if want := `client_secret = "abc8Q~\"\\TheValue.of-a-secret~0123456789"`; !strings.Contains(string(first), want) {
		t.Errorf("%q is not in\n%s", want, first)
	}
	a := someAnswers()
	a.Type, a.Secret, a.CertFile, a.KeyFile = TypeCertificate, xoauth.Secret{}, "/etc/c.pem", "/etc/k.pem"
	w, err = f.Write(a)
	if err != nil || w.Backup != path+".bak-20261125T101500Z" {
		t.Fatalf("%+v %v", w, err)
	}
	old, _ := os.ReadFile(w.Backup)
	second, _ := os.ReadFile(path)
	if !bytes.Equal(old, first) || strings.Contains(string(second), "client_secret") || !strings.Contains(string(second), "[credential]\ntype = \"certificate\"\n") {
		t.Errorf("%s", second)
	}
	for _, p := range []string{path, w.Backup} {
		if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", p, fi.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 2 {
		t.Errorf("%q are left", left)
	}
}

// TestWriteWithinSecond: each change keeps the file before it, however soon it comes.
func TestWriteWithinSecond(t *testing.T) {
	t.Parallel()
	f := &File{Path: filepath.Join(t.TempDir(), "o365.toml"), Owner: Owner{GID: -1},
		Now: func() time.Time { return time.Date(2026, 11, 25, 10, 15, 0, 0, time.UTC) }}
	for _, mailbox := range []string{"a@contoso.com", "b@contoso.com", "c@contoso.com", "d@contoso.com"} {
		before, _ := os.ReadFile(f.Path)
		a := someAnswers()
		a.Mailbox = mailbox
		w, err := f.Write(a)
		if err != nil {
			t.Fatal(err)
		}
		if kept, _ := os.ReadFile(w.Backup); !bytes.Equal(kept, before) {
			t.Errorf("%s: %q holds %q, want %q", mailbox, w.Backup, kept, before)
		}
	}
	if kept, _ := filepath.Glob(f.Path + ".bak-*"); len(kept) != 3 {
		t.Errorf("kept: %q", kept)
	}
}

// TestWriteSweeps: what a killed change left goes with the next one, and nothing else does.
func TestWriteSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	f := &File{Path: filepath.Join(dir, "o365.toml"), Owner: Owner{GID: -1}, Now: func() time.Time { return now }}
	old := now.Add(-2 * time.Hour)
	for name, age := range map[string]time.Time{
		".tmp-0123456789abcdef-o365.toml": old, ".tmp-0123456789abcdef-o365.toml.bak-20261125T101500Z": old,
		".tmp-0123456789abcdef": old, ".tmp-0123456789abcdef-hosts": old, ".tmp-": old, "notes": old,
		".tmp-00112233445566aa-o365.toml": now,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, age, age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Write(someAnswers()); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{".tmp-", ".tmp-00112233445566aa-o365.toml", ".tmp-0123456789abcdef", ".tmp-0123456789abcdef-hosts",
		"notes", "o365.toml"}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, want %q: %v", left, want, err)
	}
}

// TestWriteRefused: a text that the configuration's reader refuses changes nothing.
func TestWriteRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o365.toml")
	if err := os.WriteFile(path, []byte("old = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("bad")
	f := &File{Path: path, Owner: Owner{GID: -1}, Now: time.Now, Check: func(string) error { return bad }}
	if _, err := f.Write(someAnswers()); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old = 1\n" {
		t.Errorf("%q", b)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}

func TestShownText(t *testing.T) {
	t.Parallel()
	f := &File{Path: filepath.Join(t.TempDir(), "none")}
	text, err := f.Text(someAnswers(), true)
	if err != nil || strings.Contains(string(text), "TheValue") || !strings.Contains(string(text), `client_secret = "[redacted]"`) {
		t.Errorf("%s %v", text, err)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a    Answers
		want string
	}{
		{Answers{Type: TypeSecret}, "--tenant --client-id --client-secret-stdin --mailbox"},
		{Answers{Type: TypeSecret, SecretFile: "/x"}, "--tenant --client-id --mailbox"},
		{Answers{Type: TypeCertificate, Tenant: "t", ClientID: "c"}, "--mailbox"}, // one is made
		{Answers{Type: TypeCertificate, Tenant: "t", ClientID: "c", CertFile: "/x"}, "--mailbox"},
		{Answers{Type: TypeCertificate, Tenant: "t", ClientID: "c", KeyFile: "/x"}, "--certificate-file --mailbox"},
		{Answers{Type: TypeCertificate, Tenant: "t", ClientID: "c", PFXFile: "/x"}, "--mailbox"},
		{Answers{Type: TypeIdentity}, "--mailbox"},
		{Answers{Type: TypeDevice, Tenant: "t", ClientID: "c", Mailbox: "m"}, ""},
	} {
		if got := strings.Join(tt.a.Missing(), " "); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.a, got, tt.want)
		}
	}
}

// TestPlanted: setup writes through its own user's and root's links, and through nobody else's.
func TestPlanted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Mkdir(in("real"), 0o700), os.Symlink("real", in("own")), os.Symlink(in("own/file"), in("file")),
		os.Symlink("loop", in("loop")),
		os.Symlink("real", in("theirs")), os.Symlink("theirs", in("behind")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{in("real/x"), in("own/x"), in("file"), in("none/x"), "/etc/x"} {
		if err := planted(path, 0); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := planted(in("loop"), 0); err == nil {
		t.Error("a loop is followed")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give a link away")
	}
	if err := os.Lchown(in("theirs"), 54321, 54321); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{in("theirs"), in("theirs/x"), in("behind/x")} {
		if err := planted(path, 0); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
