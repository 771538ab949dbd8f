// Package host knows the names of this machine and of its users, as mail needs them.
// It asks the kernel and reads /etc/passwd and /etc/mailname; it never asks the network,
// so that a broken resolver can't hold a message up.
package host

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"o365-sendmail/internal/printable"
)

// What programs and packages have to agree on.
const (
	// Socket is where the agent of a package installation listens.
	Socket = "/run/o365-sendmail/submit.sock"
	// ConfigVariable is the environment variable that names another configuration file.
	ConfigVariable = "O365_SENDMAIL_CONFIG"
)

// Name returns the host's name in lower case, "localhost" when it has none that
// could stand in an address.
func Name() string {
	name, err := os.Hostname()
	if err != nil || !valid(name) {
		return "localhost"
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// valid reports whether name is a host name in ASCII, with a trailing dot or without.
func valid(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return printable.IsASCII(name) && IsDomain(name)
}

// Mailname returns the first line of /etc/mailname (Debian policy 11.6) in lower case,
// "" when there is none.
func Mailname() string {
	line, _ := firstLine("/etc/mailname")
	if !valid(line) {
		return ""
	}
	return strings.ToLower(line)
}

// FullName returns the fully qualified name of a host that is called name: name itself if it has a
// dot, else its canonical name in /etc/hosts (hosts(5)), else the mail name, else name.
func FullName(name string) string {
	if strings.Contains(name, ".") {
		return name
	}
	if f, err := open("/etc/hosts"); err == nil {
		defer f.Close()
		if full := canonical(bufio.NewScanner(f), name); full != "" {
			return full
		}
	}
	if mailname := Mailname(); strings.Contains(mailname, ".") {
		return mailname
	}
	return name
}

// canonical returns the first name with a dot of the first line of a hosts file that has name.
func canonical(sc *bufio.Scanner, name string) string {
	for sc.Scan() {
		line, _, _ := strings.Cut(sc.Text(), "#")
		names := strings.Fields(strings.ToLower(line))
		if len(names) < 2 || !slices.Contains(names[1:], name) {
			continue
		}
		for _, full := range names[1:] {
			if strings.Contains(full, ".") && valid(full) && !strings.HasPrefix(full, "localhost") {
				return strings.TrimSuffix(full, ".")
			}
		}
	}
	return ""
}

func firstLine(path string) (string, error) {
	f, err := open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Scan()
	return strings.TrimSpace(sc.Text()), sc.Err()
}

// file is read by bare system calls: package os would set up a poller at the first file, and
// each call of sendmail would pay for it.
type file int

// open refuses to wait for a FIFO.
func open(path string) (file, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err != syscall.EINTR {
			return file(fd), err
		}
	}
}

func (f file) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(f), p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Close gives the descriptor back.
func (f file) Close() error { return syscall.Close(int(f)) }

// Local returns a function that reports whether a domain is this host: its name, the
// name's first label, localhost, and the mail name unless that is except, the domain of
// the mailbox, whose local parts belong to the tenant.
func Local(name, mailname, except string) func(domain string) bool {
	short, _, _ := strings.Cut(name, ".")
	return func(domain string) bool {
		domain = strings.ToLower(strings.TrimSuffix(domain, "."))
		switch domain {
		case strings.ToLower(except):
			return false
		case name, short, "localhost", "localhost.localdomain", short + ".localdomain", short + ".local":
			return domain != ""
		}
		return domain != "" && domain == mailname
	}
}

// User is an entry of /etc/passwd.
type User struct {
	Name     string
	FullName string
	Home     string
	UID, GID int
}

// UserByID returns the user with the id, named by its number when the file has none.
func UserByID(uid int) User {
	id := strconv.Itoa(uid)
	if u, ok := lookup(func(f []string) bool { return f[2] == id }); ok {
		return u
	}
	return User{Name: id, UID: uid, GID: -1}
}

// UserByName returns the user of that name.
func UserByName(name string) (User, bool) {
	return lookup(func(f []string) bool { return f[0] == name })
}

func lookup(match func(fields []string) bool) (User, bool) {
	f, err := open("/etc/passwd")
	if err != nil {
		return User{}, false
	}
	defer f.Close()
	return scan(bufio.NewScanner(f), match)
}

func scan(sc *bufio.Scanner, match func(fields []string) bool) (User, bool) {
	for sc.Scan() {
		fields := strings.Split(sc.Text(), ":")
		if len(fields) < 7 || !match(fields) {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err1 != nil || err2 != nil {
			continue
		}
		return User{Name: fields[0], FullName: fullName(fields[4], fields[0]), Home: fields[5], UID: uid, GID: gid},
			true
	}
	return User{}, false
}

// fullName takes the name out of a GECOS field, where & is the login name with a
// capital letter (passwd(5)).
func fullName(gecos, login string) string {
	name, _, _ := strings.Cut(gecos, ",")
	if login != "" && strings.Contains(name, "&") {
		name = strings.ReplaceAll(name, "&", strings.ToUpper(login[:1])+login[1:])
	}
	return strings.TrimSpace(name)
}
