package importer

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/*.want again")

// render is what was found as text.
func render(f *Found) string {
	var b strings.Builder
	for _, l := range f.Lines {
		fmt.Fprintf(&b, "%s:%d: %s: %s: %s\n", l.File, l.Line, l.Name, l.Fate, l.Note)
	}
	for _, s := range f.Settings {
		fmt.Fprintf(&b, "%s = %s\n", s.Key, s.Value)
	}
	return b.String()
}

// TestRead reads files as the programs' packages and manuals have them.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, program := range Programs() {
		homes, err := Homes("testdata/" + program)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Root: "testdata/" + program}
		for _, h := range homes {
			o.Homes = append(o.Homes, h.Dir)
		}
		found, err := Read(program, o)
		if err != nil {
			t.Fatal(err)
		}
		got, file := render(found), "testdata/"+program+".want"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s", program, err, got)
		}
		if strings.Contains(got, "secret") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: a password shows:\n%s", program, got)
		}
	}
}

// TestReadNone: a program that was never here is an error that says where was looked.
func TestReadNone(t *testing.T) {
	t.Parallel()
	for _, program := range Programs() {
		_, err := Read(program, Options{Root: t.TempDir(), Homes: []string{"/home/alice"}})
		if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "/etc/") {
			t.Errorf("%s: %v", program, err)
		}
	}
	if _, err := Read("qmail", Options{}); err == nil || !strings.Contains(err.Error(), "nullmailer") {
		t.Error(err)
	}
}

// TestReadForeign: what is no regular file below the root, or far too large, is refused and waited for by nobody.
func TestReadForeign(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"long":      func(path string) error { return os.Symlink(strings.Repeat("../", 99)+"dev/fd/../../etc", path) },
		"huge": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 1<<40))
		},
		"loop": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := make(filepath.Join(root, "etc/msmtprc")); err != nil {
			t.Fatal(err)
		}
		_, err := Read("msmtp", Options{Root: root})
		if err == nil || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "/etc/msmtprc") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "loop" && !errors.Is(err, syscall.ELOOP) || name == "huge" && errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinksStayBelow: a link that begins with a slash, or goes up, leads to where the other system's would.
func TestLinksStayBelow(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(root+"/etc", 0o755))
	must(os.MkdirAll(root+"/srv/mail", 0o755))
	must(os.WriteFile(root+"/srv/mail/rc", []byte("host smtp.office365.com\nuser noreply@contoso.com\n"), 0o644))
	must(os.Symlink("../../../../srv/mail/rc", root+"/etc/second"))
	must(os.Symlink("/etc/second", root+"/etc/msmtprc"))
	if found, err := Read("msmtp", Options{Root: root}); err != nil || found.Get("mailbox") != "noreply@contoso.com" {
		t.Errorf("%+v, %v", found, err)
	}
	must(os.Remove(root + "/etc/msmtprc"))
	must(os.Symlink("/etc/passwd", root+"/etc/msmtprc"))
	if _, err := Read("msmtp", Options{Root: root}); !errors.Is(err, ErrNone) {
		t.Errorf("it led out: %v", err)
	}
}

// FuzzRead: no file makes a reader fail, and what it gives back is one line of printable text each.
func FuzzRead(f *testing.F) {
	files := map[string][]string{
		"msmtp": {"/etc/msmtprc"}, "nullmailer": {"/etc/nullmailer/remotes"}, "ssmtp": {"/etc/ssmtp/ssmtp.conf"},
		"dma": {"/etc/dma/dma.conf"}, "exim4": {"/etc/exim4/update-exim4.conf.conf"}, "postfix": {"/etc/postfix/main.cf"},
	}
	for i, program := range Programs() {
		text, err := os.ReadFile("testdata/" + program + files[program][0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, text)
	}
	f.Add(3, []byte("a = $b\nb = ${a}$(a)\n  x\n"))
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		program := Programs()[uint(i)%uint(len(Programs()))]
		root := t.TempDir()
		path := root + files[program][0]
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := Read(program, Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found.Settings {
			if strings.ContainsAny(s.Value, "\n\r\x00\x1b") || s.Key == "" {
				t.Errorf("%q", s)
			}
		}
		for _, l := range found.Lines {
			if strings.ContainsAny(l.Note+l.Name, "\n\r\x1b") || l.Line == 0 {
				t.Errorf("%+q", l.Name+l.Note)
			}
		}
	})
}

// TestMsmtpSenders: what stands for several senders is no mailbox.
func TestMsmtpSenders(t *testing.T) {
	t.Parallel()
	for value, mailbox := range map[string]string{
		"a@contoso.com": `"a@contoso.com"`, "*@contoso.com": "", "%U@contoso.com": "", "b?b@contoso.com": "", "%U@%M": "",
	} {
		root := t.TempDir()
		if err := errors.Join(os.Mkdir(filepath.Join(root, "etc"), 0o755), os.WriteFile(filepath.Join(root, "etc/msmtprc"),
			[]byte("host smtp.example.org\nfrom "+value+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		found, err := Read("msmtp", Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range found.Settings {
			if s.Key == "mailbox" {
				got = s.Value
			}
		}
		if got != mailbox {
			t.Errorf("from %s: mailbox %s, want %s", value, got, mailbox)
		}
	}
}

// TestOddSeparators: a line with another separator than it should have shows no password, and an IPv6 host is whole.
func TestOddSeparators(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ program, file, text, says string }{
		{"msmtp", "etc/msmtprc", "password:Hunter2\npassword=Hunter2\n", "password"},
		{"ssmtp", "etc/ssmtp/ssmtp.conf", "AuthPass:Hunter2\n", "AuthPass"},
		{"ssmtp", "etc/ssmtp/revaliases", "root Hunter2\n", "root"},
		{"ssmtp", "etc/ssmtp/ssmtp.conf", "mailhub=[2001:db8::1]:587\n", "2001:db8::1 is not"},
		{"ssmtp", "etc/ssmtp/ssmtp.conf", "mailhub=2001:db8::1\n", "2001:db8::1 is not"},
		{"postfix", "etc/postfix/main.cf", "smtp_pass Hunter2\n", "smtp_pass"},
		{"postfix", "etc/postfix/main.cf", "relayhost = [2001:db8::1]:587\n", "2001:db8::1 is not"},
		{"dma", "etc/dma/dma.conf", "AUTHPASS:Hunter2\n", "AUTHPASS"},
		{"exim4", "etc/exim4/update-exim4.conf.conf", "dc_pass Hunter2\n", "dc_pass"},
		{"exim4", "etc/exim4/update-exim4.conf.conf", "dc_smarthost='[2001:db8::1]::587'\n", "2001:db8::1 is not"},
		{"exim4", "etc/email-addresses", "ann Hunter2\n", "ann"},
	} {
		file := filepath.Join(t.TempDir(), tt.file)
		root := strings.TrimSuffix(file, tt.file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(tt.text), 0o644)); err != nil {
			t.Fatal(err)
		}
		found, err := Read(tt.program, Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprintf("%+v", found); strings.Contains(all, "Hunter2") || !strings.Contains(all, tt.says) {
			t.Errorf("%q: %s", tt.text, all)
		}
	}
}
