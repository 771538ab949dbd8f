package config

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// strangers judges as a process whose user owns none of the test's files.
func strangers(service int) Loader {
	return Loader{judge: judge{
		euid:    func() int { return os.Geteuid() + 4242 },
		service: func() (int, bool) { return service, service >= 0 },
	}}
}

func TestModes(t *testing.T) {
	t.Parallel()
	open := strings.Replace(minimal, "client_secret", "client_secret_file = \"/nowhere\" # ", 1)
	for _, tt := range []struct {
		text string
		mode os.FileMode
		want string // "" = fine
	}{
		{minimal, 0o600, ""},
		{minimal, 0o640, ""},
		{minimal, 0o440, ""},
		{minimal, 0o400, ""},
		{minimal, 0o644, "mode 0644 lets every user read the secret in it; type: chmod 06"},
		{minimal, 0o604, "mode 0604 lets every user read"},
		{minimal, 0o660, "mode 0660 lets other users write it; type: chmod 06"},
		{minimal, 0o602, "mode 0602 lets other users write it"},
		{minimal, 0o666, "mode 0666 lets other users write it"},
		{open, 0o644, ""},
		{open, 0o664, "mode 0664 lets other users write it"},
		{"client_secret = broken\n", 0o644, "(and 1 more;"},
	} {
		path := write(t, tt.text)
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Loader{}.Load(path)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%04o: %v", tt.mode, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || sysexits.Code(err, 0) != 78):
			t.Errorf("%04o: got %v, want %s", tt.mode, err, tt.want)
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		stranger := write(t, minimal)
		if err := os.Chown(stranger, 4242, 4242); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link.toml")
		if err := os.Symlink(stranger, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{stranger, link} {
			_, err := Loader{}.Load(path)
			if err == nil || !strings.Contains(err.Error(), "belongs to user 4242") || !strings.Contains(err.Error(), "type: chown root "+path) {
				t.Errorf("%v", err)
			}
			if c, faults := (Loader{}).LoadLenient(path); len(faults) != 1 || c.Tenant != "" {
				t.Errorf("a stranger's file is believed: %v %v", c.Tenant, faults)
			}
			l := Loader{judge: judge{service: func() (int, bool) { return 4242, true }}}
			if _, err := l.Load(path); err != nil {
				t.Errorf("the service user's file: %v", err)
			}
			l.judge.euid = func() int { return 4242 }
			l.judge.service = func() (int, bool) { return 0, false }
			if _, err := l.Load(path); err != nil {
				t.Errorf("one's own file: %v", err)
			}
		}
		return
	}
	path := write(t, minimal)
	if _, err := strangers(-1).Load(path); err == nil || !strings.Contains(err.Error(), "belongs to user") {
		t.Errorf("%v", err)
	}
	if _, err := strangers(os.Geteuid()).Load(path); err != nil {
		t.Errorf("the service user's file: %v", err)
	}
}

func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo, sock := filepath.Join(dir, "fifo"), filepath.Join(dir, "sock")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{fifo, sock, dir, "/dev/null", "/dev/zero"} {
		_, err := Loader{}.Load(path)
		if err == nil || !strings.Contains(err.Error(), "not a regular file") || sysexits.Code(err, 0) != 78 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	fits := minimal + "#" + strings.Repeat("x", maxFile-len(minimal)-1)
	if _, err := (Loader{}).Load(write(t, fits)); err != nil {
		t.Error(err)
	}
	if _, err := (Loader{}).Load(write(t, fits+"x")); err == nil ||
		!strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Error(err)
	}
}

func TestPermissionDenied(t *testing.T) {
	t.Parallel()
	e := &Error{File: "x", Problem: unreadable(syscall.EACCES), Err: syscall.EACCES}
	if err := sysexits.With(sysexits.Config, Errors{e}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	path := write(t, minimal)
	for dir := filepath.Dir(path); strings.Contains(dir, "TestPermissionDenied"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	err := asNobody(func() error { _, err := Loader{}.Load(path); return err })
	if !errors.Is(err, fs.ErrPermission) || err.Error() != path+": can't be read: permission denied" || sysexits.Code(err, 0) != 78 {
		t.Errorf("%v", err)
	}
}

// asNobody runs f in a thread that has lost root's right to open everything. The thread ends with it.
func asNobody(f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		result <- f()
	}()
	return <-result
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want, fail string
	}{
		{"plain", secretText, 0o600, secretText, ""},
		{"newline", secretText + "\n", 0o640, secretText, ""},
		{"crlf", secretText + "\r\n\r\n", 0o440, secretText, ""},
		{"bom", "\xef\xbb\xbf" + secretText + "\n", 0o600, secretText, ""},
		{"empty", "", 0o600, "", "is empty"},
		{"blank", "\n\n", 0o600, "", "is empty"},
		{"lines", "a\nb\n", 0o600, "", "more than one line"},
		{"space", " " + secretText + "\n", 0o600, "", "has a space"},
		{"id", "1b4e28ba-2fa1-11d2-883f-0016d3cca427\n", 0o600, "", "holds a GUID, so it is the Secret ID"},
		{"open", secretText, 0o644, "", "mode 0644 lets every user read"},
		{"shared", secretText, 0o660, "", "mode 0660 lets other users write"},
	} {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{path, "credential:" + tt.name} {
			c := &Config{Path: "x.toml", ClientSecretFile: ref, getenv: func(string) string { return dir }}
			s, err := c.Secret()
			switch {
			case tt.fail == "" && (err != nil || s.Reveal() != tt.want):
				t.Errorf("%s: %q %v", ref, s.Reveal(), err)
			case tt.fail != "" && (err == nil || !strings.Contains(err.Error(), tt.fail) || sysexits.Code(err, 0) != 78):
				t.Errorf("%s: %v", ref, err)
			case err != nil && strings.Contains(err.Error(), secretText):
				t.Errorf("%s: the secret is shown", ref)
			}
		}
	}
}

func TestCredentialDirectory(t *testing.T) {
	t.Parallel()
	c := &Config{Path: "x.toml", ClientSecretFile: "credential:name"}
	_, err := c.Secret()
	const want = "x.toml: client_secret_file: credential:name names a systemd credential, but there is no $CREDENTIALS_DIRECTORY; only a service with LoadCredential=name:FILE has it"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestPassphraseAndKey(t *testing.T) {
	t.Parallel()
	path := write(t, " two words \n")
	c := &Config{Credential: Credential{PassphraseFile: path, KeyFile: path}}
	if s, err := c.Passphrase(); err != nil || s.Reveal() != " two words " {
		t.Errorf("%q %v", s.Reveal(), err)
	}
	if b, err := c.SecretFile("credential.key_file"); err != nil || string(b) != " two words \n" {
		t.Errorf("%q %v", b, err)
	}
	if b, err := c.SecretFile("credential.pfx_file"); b != nil || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if _, err := c.SecretFile("tenant"); sysexits.Code(err, 0) != sysexits.Software {
		t.Error(err)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/etc/x.toml": "/etc/x.toml", "/a b": "'/a b'", "it's": `'it'\''s'`, "-x": "'./-x'", "": "''", "$(x)": "'$(x)'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
