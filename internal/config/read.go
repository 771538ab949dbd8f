package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 20

// judge says whose files are believed. The zero value asks the system.
type judge struct {
	euid    func() int
	service func() (uid int, ok bool)
}

// owner reports whether uid may own a configuration or secret file.
func (j judge) owner(uid uint32) bool {
	euid := os.Geteuid
	if j.euid != nil {
		euid = j.euid
	}
	return uid == 0 || int(uid) == euid() || j.installed(uid)
}

// installed reports whether uid is root or the service user.
func (j judge) installed(uid uint32) bool {
	if uid == 0 {
		return true
	}
	service := serviceUID
	if j.service != nil {
		service = j.service
	}
	id, ok := service()
	return ok && int(uid) == id
}

// serviceUID looks the service user up; only a file with a strange owner makes it necessary.
func serviceUID() (int, bool) {
	u, err := user.Lookup(ServiceUser)
	if err != nil {
		return 0, false
	}
	id, err := strconv.Atoi(u.Uid)
	return id, err == nil
}

// read opens path without waiting for anybody, and returns what it holds and whose it is.
// What it judges is the opened file, so that a link can't be turned in between. flags are
// added to those of open(2).
func read(path string, flags int) ([]byte, *syscall.Stat_t, *Error) {
	fail := func(problem string, err error) ([]byte, *syscall.Stat_t, *Error) {
		return nil, nil, &Error{File: path, Problem: problem, Err: err}
	}
	if strings.IndexByte(path, 0) >= 0 {
		return fail("the file's name holds a NUL", syscall.EINVAL)
	}
	var st syscall.Stat_t
	// Before the open: to open some devices is to start them.
	if err := retry(func() error { return syscall.Stat(path, &st) }); err != nil {
		return fail(unreadable(err), err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fail("not a regular file", syscall.EINVAL)
	}
	fd := -1
	err := retry(func() (err error) {
		// O_NONBLOCK: a FIFO put there since the stat must not hold us.
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC|flags, 0)
		return err
	})
	if err != nil {
		return fail(unreadable(err), err)
	}
	defer syscall.Close(fd)
	if err := syscall.Fstat(fd, &st); err != nil {
		return fail(unreadable(err), err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fail("not a regular file", syscall.EINVAL)
	}
	data, err := readAll(fd, st.Size)
	if err != nil {
		return fail(unreadable(err), err)
	}
	if len(data) > maxFile {
		return fail("larger than 1 MiB", syscall.EFBIG)
	}
	return data, &st, nil
}

// readAll reads at most one byte more than maxFile.
func readAll(fd int, size int64) ([]byte, error) {
	data := make([]byte, min(max(size, 0), maxFile)+1)
	n := 0
	for n <= maxFile {
		if n == len(data) {
			data = append(data, make([]byte, min(len(data), maxFile+1-n))...)
		}
		m := 0
		err := retry(func() (err error) { m, err = syscall.Read(fd, data[n:]); return err })
		if err != nil {
			return nil, err
		}
		if m <= 0 {
			break
		}
		n += m
	}
	return data[:n], nil
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// unreadable puts a system error in words.
func unreadable(err error) string {
	if errors.Is(err, syscall.ENOENT) {
		return "no such file"
	}
	return "can't be read: " + err.Error()
}

// fault judges owner and mode. Whoever can write the file could send the secret elsewhere, so
// that is refused for every file; to be read by all is refused for one with a secret.
func (j judge) fault(path string, st *syscall.Stat_t, secret bool) *Error {
	mode := st.Mode & 0o777
	right := "0640"
	if st.Uid != 0 {
		right = "0600"
	}
	e := &Error{File: path, Hint: "type: chmod " + right + " " + shellQuote(path)}
	switch {
	case !j.owner(st.Uid):
		e.Problem = fmt.Sprintf("belongs to user %s, who could change it", userName(st.Uid))
		e.Expected = "root, " + ServiceUser + " or the running user as owner"
		e.Hint = "type: chown root " + shellQuote(path)
	case mode&0o022 != 0:
		e.Problem = fmt.Sprintf("mode %04o lets other users write it", mode)
	case secret && mode&0o004 != 0:
		e.Problem = fmt.Sprintf("mode %04o lets every user read the secret in it", mode)
	default:
		return nil
	}
	return e
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// shellQuote makes path fit for pasting into a shell.
func shellQuote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if path != "" && path[0] != '-' && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// credentialPrefix marks a systemd credential: a file in $CREDENTIALS_DIRECTORY.
const credentialPrefix = "credential:"

// Secret returns the client secret, from the file where the configuration names one; the file
// is read at each call. An error carries exit code 78 and never holds what was read.
func (c *Config) Secret() (xoauth.Secret, error) {
	return c.secret(c.ClientSecret, "client_secret_file")
}

// NextSecret returns the secret that stands by; it is empty when there is none.
func (c *Config) NextSecret() (xoauth.Secret, error) {
	return c.secret(c.SecondSecret, "client_secret_next_file")
}

// Passphrase returns what credential.passphrase_file holds; it is empty when there is none.
func (c *Config) Passphrase() (xoauth.Secret, error) {
	return c.secret(xoauth.Secret{}, "credential.passphrase_file")
}

// WebhookURL returns where alerts are posted to; it is empty when that is nowhere.
func (c *Config) WebhookURL() (xoauth.Secret, error) {
	return c.secret(c.Alerts.Webhook, "alerts.webhook_file")
}

// HeartbeatURL returns where it is posted that all is well; it is empty when that is nowhere.
func (c *Config) HeartbeatURL() (xoauth.Secret, error) {
	return c.secret(c.Alerts.Heartbeat, "alerts.heartbeat_file")
}

func (c *Config) secret(inline xoauth.Secret, fileKey string) (xoauth.Secret, error) {
	if !inline.Empty() {
		return inline, nil
	}
	data, err := c.SecretFile(fileKey)
	if err != nil || data == nil {
		return xoauth.Secret{}, err
	}
	text := string(bytes.TrimRight(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), "\r\n"))
	problem, hint := checkSecretText(text)
	if fileKey == "credential.passphrase_file" && text != "" && !strings.ContainsAny(text, "\r\n\x00") {
		problem = ""
	}
	if strings.HasPrefix(fileKey, "alerts.") && problem == "" {
		problem, hint = checkText(&Key{Kind: KindSecretURL}, text)
	}
	if problem != "" {
		path, _ := c.resolve(*lookup(fileKey).field(c).(*string))
		return xoauth.Secret{}, c.secretFault(&Error{File: path, Key: fileKey, Problem: problem, Hint: hint})
	}
	return xoauth.NewSecret(text), nil
}

// SecretFile reads the file that a key of KindSecretFile names, owner and mode judged. It
// returns nil when the key is not set.
func (c *Config) SecretFile(key string) ([]byte, error) {
	k := lookup(key)
	if k == nil || k.Kind != KindSecretFile {
		return nil, sysexits.With(sysexits.Software, fmt.Errorf("config: %s names no secret file", key))
	}
	ref := *k.field(c).(*string)
	if ref == "" {
		return nil, nil
	}
	path, fault := c.resolve(ref)
	if fault != nil {
		fault.Key = key
		return nil, c.secretFault(fault)
	}
	data, st, fault := read(path, 0)
	if fault == nil {
		fault = c.judge.fault(path, st, true)
	}
	if fault == nil && len(bytes.TrimSpace(data)) == 0 {
		fault = &Error{File: path, Problem: "is empty"}
		if key == "credential.passphrase_file" {
			fault.Hint = "leave passphrase_file out if the key or PFX file has no passphrase"
		}
	}
	if fault != nil {
		fault.Key = key
		return nil, c.secretFault(fault)
	}
	return data, nil
}

func (c *Config) secretFault(e *Error) error { return sysexits.With(exitCode(e), Errors{e}) }

// resolve gives the path of a file reference.
func (c *Config) resolve(ref string) (string, *Error) {
	name, ok := strings.CutPrefix(ref, credentialPrefix)
	if !ok {
		return ref, nil
	}
	dir := ""
	if c.getenv != nil {
		dir = c.getenv("CREDENTIALS_DIRECTORY")
	}
	if !strings.HasPrefix(dir, "/") {
		return "", &Error{File: c.Path, Problem: ref + " names a systemd credential, but there is no $CREDENTIALS_DIRECTORY",
			Hint: "only a service with LoadCredential=" + name + ":FILE has it"}
	}
	return dir + "/" + name, nil
}

// checkSecretText refuses what can't be a client secret.
func checkSecretText(s string) (problem, hint string) {
	switch {
	case s == "":
		return "is empty", ""
	case !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		return "holds a control character or more than one line", "it must be the secret's Value and nothing else"
	case isGUID(strings.TrimSpace(s)):
		return "holds a GUID, so it is the Secret ID and not the secret",
			"copy the column Value; the portal shows it only once, so make a new secret if it is lost"
	case strings.TrimSpace(s) != s:
		return "has a space before or after the secret", ""
	}
	return "", ""
}
