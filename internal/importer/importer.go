// Package importer reads what another mailer left on this host: its configuration, of which it says line by line what
// comes over, its queue, and who sends mail here. It opens files for reading only, changes nothing of theirs, and
// stands beside the way of a message, never in it. No value that may be a password leaves the package.
package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/printable"
	"o365-sendmail/rfc822"
)

// What becomes of a line.
const (
	Taken     = "taken"      // a key of the configuration says the same
	NotNeeded = "not needed" // it has no use here
	ByHand    = "by hand"    // it can't follow: the note says what to do
)

// Line is one setting of another program, and what becomes of it. Its value is not here: it may be a password.
type Line struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Name string `json:"name"`
	Fate string `json:"fate"`
	Note string `json:"note"`
}

// Setting is a key of o365-sendmail.toml(5) and its value as TOML text.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Found is what the files of a program come to.
type Found struct {
	Program  string    `json:"program"`
	Files    []string  `json:"files"`
	Lines    []Line    `json:"lines"`
	Settings []Setting `json:"settings"`
}

// Get returns the text of a setting that is a string, "" when there is none.
func (f *Found) Get(key string) string {
	for _, s := range f.Settings {
		if s.Key == key {
			return strings.Trim(s.Value, `"`)
		}
	}
	return ""
}

// programs are the readers of configurations, by the name of the program.
func programs() map[string]func(r *reading) {
	return map[string]func(r *reading){
		"msmtp": readMsmtp, "nullmailer": readNullmailer, "ssmtp": readSsmtp, "dma": readDma, "exim4": readExim,
		"postfix": readPostfix,
	}
}

// Programs lists the names that Read knows.
func Programs() []string {
	return []string{"msmtp", "nullmailer", "ssmtp", "postfix", "exim4", "dma"}
}

// Options say where to look.
type Options struct {
	// Root is put before each path: "/", or where another system's files lie.
	Root string
	// Homes are the home directories that are looked at, as that system names them.
	Homes []string
}

// ErrNone is wrapped in the error of a program that has no files here.
var ErrNone = errors.New("nothing of it is on this host")

// Read reads the configuration of a program.
func Read(program string, o Options) (*Found, error) {
	read := programs()[program]
	if read == nil {
		return nil, fmt.Errorf("%.64q is not one of %s", program, strings.Join(Programs(), ", "))
	}
	r := &reading{Options: o, found: Found{Program: program, Files: []string{}, Lines: []Line{}, Settings: []Setting{}}}
	read(r)
	if r.err == nil && len(r.found.Files) == 0 {
		r.err = fmt.Errorf("%s: %w: looked for %s", program, ErrNone, strings.Join(r.missing, ", "))
	}
	return &r.found, r.err
}

// reading is one run of a reader. The first error ends it.
type reading struct {
	Options
	found   Found
	missing []string
	err     error
	at      Line // the setting that is looked at
	relay   string
	user    string // who signs in at the old relay
	from    string
	senders []string // rows of from.map

	proxyHost, proxyPort string
}

// maxFile bounds a configuration file; none is near it.
const maxFile = 4 << 20

// text reads a file of the other system, nil when it is not there. The name stays as that system has it.
func (r *reading) text(name string) []byte {
	if r.err != nil {
		return nil
	}
	b, err := readFile(r.Root, name, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.missing = append(r.missing, name)
		return nil
	case err != nil:
		r.err = err
		return nil
	}
	r.found.Files = append(r.found.Files, name)
	return b
}

// readFile reads a regular file below root, whose symbolic links stay below it.
func readFile(root, name string, limit int64) ([]byte, error) {
	f, err := openFile(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than any such file: it is not read", name, fi.Size())
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s grows while it is read", name)
	}
	return b, err
}

// openFile opens a regular file for reading, and waits for nobody: not for the writer of a FIFO.
func openFile(root, name string) (*os.File, error) {
	dir, err := os.OpenRoot(cmp.Or(root, "/"))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	at, err := resolve(dir, name)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", name, err)
	}
	f, err := dir.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s can't be read: %w", name, err)
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		_ = f.Close()
		return nil, cmp.Or(err, fmt.Errorf("%s is not a regular file", name))
	}
	return f, nil
}

// resolve follows symbolic links as the system below dir would: one that begins with a slash begins there.
func resolve(dir *os.Root, name string) (string, error) {
	const most = 40
	done, links := ".", 0
	for todo := strings.Split(name, "/"); len(todo) > 0; {
		next := path.Join(done, todo[0])
		if todo = todo[1:]; strings.HasPrefix(next, "..") {
			next = "."
		}
		target, err := dir.Readlink(next)
		if err != nil { // no link, or nothing at all: who opens it says so
			done = next
			continue
		}
		if links++; links > most {
			return "", syscall.ELOOP
		}
		if path.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

// note records what becomes of the setting that is looked at.
func (r *reading) note(fate, format string, args ...any) {
	l := r.at
	l.Name, l.Fate = printable.Line(l.Name), fate
	l.Note = printable.Line(fmt.Sprintf(format, args...))
	r.found.Lines = append(r.found.Lines, l)
}

// label is what a line is called: the rest of one that has another separator than it should may be a password.
func label(name string) string {
	if i := strings.IndexAny(strings.TrimRight(name, " \t"), " \t:="); i >= 0 {
		return name[:i] + " ..."
	}
	return name
}

// set records a key and reports whether it can: the last value of a key counts.
func (r *reading) set(key, value string) bool {
	if printable.HasControl(value) || !utf8.ValidString(value) {
		r.note(ByHand, "its value has bytes that no text has: set %s", key)
		return false
	}
	r.found.Settings = slices.DeleteFunc(r.found.Settings, func(s Setting) bool { return s.Key == key })
	r.found.Settings = append(r.found.Settings, Setting{key, value})
	return true
}

// take sets a key to the value of the setting that is looked at.
func (r *reading) take(key, value string) {
	if r.set(key, value) {
		r.note(Taken, "%s = %s", key, value)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// rule is what a setting of another program means here.
type rule func(r *reading, value string)

func notNeeded(text string) rule { return func(r *reading, _ string) { r.note(NotNeeded, "%s", text) } }
func byHand(text string) rule    { return func(r *reading, _ string) { r.note(ByHand, "%s", text) } }

// apply finds the rule of a setting.
func (r *reading) apply(rules map[string]rule, name, value string) {
	do := rules[name]
	if do == nil {
		do = byHand("it is not known here; o365-sendmail.toml(5) has all keys")
	}
	do(r, value)
}

// Texts that several programs need.
const (
	textPassword = "a password is of no use with OAuth and is not copied: o365-sendmail setup asks for the " +
		"application's credential; delete it there when all is well"
	textRelay = "mail goes to Exchange Online's relay"
	textTLS   = "TLS is always required, and the relay's certificate verified"
	textLog   = "the log goes to the journal; log.to = \"syslog\" or \"stderr\" changes that"
	textCA    = "tls.ca_file replaces the system's authorities: set it only where a proxy signs for Microsoft's hosts"
	textQueue = "the queue has its own times: a first try at once, then from a minute to hours apart"
)

// address takes an address for a key.
func address(key string) rule {
	return func(r *reading, value string) {
		if !isAddress(value) {
			r.note(ByHand, "it is not one address: set %s to one", key)
			return
		}
		r.take(key, quote(value))
	}
}

func isAddress(s string) bool {
	a, err := rfc822.ParseAddress(s)
	return err == nil && a.Domain != "" && a.ASCII() && a.Addr() == s
}

// name takes a host name or domain for a key.
func name(key string) rule {
	return func(r *reading, value string) {
		if !strings.Contains(value, ".") || strings.ContainsAny(value, " \t/@[]\"\\") || !printable.IsASCII(value) ||
			printable.HasControl(value) {
			r.note(ByHand, "it is not a full name: set %s if the host's own name does not do", key)
			return
		}
		r.take(key, quote(value))
	}
}

// host is the relay of the other program, with its port or without.
func (r *reading) host(value string) {
	h := strings.ToLower(strings.Trim(value, "[]"))
	r.relay = h
	clouds := map[string]string{"smtp.office365.us": "gcc-high", "outlook-dod.office365.us": "dod",
		"smtp.partner.outlook.cn": "china"}
	switch {
	case clouds[h] != "":
		r.take("cloud", quote(clouds[h]))
	case account.At(h) == account.HVE:
		r.take("kind", quote(account.HVE))
	case account.At(h) == account.Mailbox:
		r.note(NotNeeded, "it is Exchange Online's relay, which is the default")
	case strings.HasSuffix(h, ".mail.protection.outlook.com"):
		r.note(ByHand, "a connector that knows this host by its IP address is not used: the application needs a "+
			"credential and a mailbox (o365-sendmail setup)")
	default:
		r.note(ByHand, "%.100s is not Exchange Online's relay; mail goes to smtp.office365.com instead", h)
	}
}

// withoutPort cuts a port off; an IPv6 address has brackets around it, or no port.
func withoutPort(v, separator string) string {
	if strings.HasPrefix(v, "[") {
		host, _, _ := strings.Cut(v[1:], "]")
		return host
	}
	if _, err := netip.ParseAddr(v); err == nil {
		return v
	}
	host, _, _ := strings.Cut(v, separator)
	return host
}

func relayHost(r *reading, value string) { r.host(value) }

// signIn is the user who signs in at the old relay.
func signIn(r *reading, value string) {
	if !isAddress(value) {
		r.note(NotNeeded, "it is no mailbox's address; the application signs in as the mailbox")
		return
	}
	r.user = value
	r.note(Taken, "it is the mailbox that signs in, unless --mailbox names another")
}

// sender is the address that all mail has as its sender.
func sender(r *reading, value string) {
	if !isAddress(value) {
		r.note(ByHand, "it is not one address: give setup --mailbox")
		return
	}
	r.from = value
	r.note(Taken, "senders are rewritten to the mailbox")
}

// finish chooses the mailbox: who signed in at Exchange Online, else the sender of all mail.
func (r *reading) finish() {
	if r.proxyHost != "" && !strings.ContainsAny(r.proxyHost+r.proxyPort, "@/ ") {
		r.set("smtp.proxy", quote("socks5://"+r.proxyHost+":"+cmp.Or(r.proxyPort, "1080")))
	}
	atMicrosoft := account.At(strings.Trim(r.relay, "[]")) != ""
	mailbox := cmp.Or(r.from, r.user)
	if atMicrosoft {
		mailbox = cmp.Or(r.user, r.from)
	}
	if mailbox == "" {
		return
	}
	r.set("mailbox", quote(mailbox))
	if r.from != "" && r.from != mailbox {
		r.set("from.send_as", "["+quote(r.from)+"]")
	}
}

// seconds takes a number of seconds for a key between two bounds.
func seconds(key string, least, most int) rule {
	return func(r *reading, value string) {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			r.note(ByHand, "it is no number of seconds from %d to %d: %s keeps its default", least, most, key)
			return
		}
		r.take(key, quote(value+"s"))
	}
}

// eachLine calls see with the lines of a text, blanks at both ends gone, that are neither empty nor comments.
func (r *reading) eachLine(file string, text []byte, see func(line string)) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		r.at = Line{File: file, Line: n}
		see(line)
	}
}

// Home is a user's home directory.
type Home struct {
	UID  int
	User string
	Dir  string
}

// Homes lists the home directories of the system below root, from its passwd(5).
func Homes(root string) ([]Home, error) {
	if _, err := os.Stat(root); err != nil {
		return nil, err
	}
	text, err := readFile(root, "/etc/passwd", maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Home
	for line := range strings.Lines(string(text)) {
		const home = 5
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) <= home {
			continue
		}
		if uid, err := strconv.Atoi(f[2]); err == nil && path.IsAbs(f[home]) && f[home] != "/" {
			list = append(list, Home{uid, f[0], f[home]})
		}
	}
	return list, err
}
