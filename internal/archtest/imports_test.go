package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "o365-sendmail"

// A pkg is one package of the module as `go list -json` shows it.
type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Name       string
	GoFiles    []string
	Imports    []string // of the files that are not tests
	Deps       []string // all that the imports bring with them
}

// path is the package's path inside the module, "." for the module's root.
func (p *pkg) path() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// program reports whether the package is part of what users run: the tests'
// own packages, the benchmarks, which start the programs that they measure, and this
// one are not.
func (p *pkg) program() bool {
	return !underAny(p.path(), []string{"test", "bench"}) && p.path() != "internal/archtest"
}

// packages lists the module's packages once for all tests.
var packages = sync.OnceValues(func() ([]*pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Doc,Name,GoFiles,Imports,Deps", "./...")
	cmd.Dir = root()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New("go list: " + err.Error() + ": " + stderr.String())
	}
	var list []*pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		switch err := d.Decode(p); {
		case err == io.EOF:
			return list, nil
		case err != nil:
			return nil, err
		}
		list = append(list, p)
	}
})

// root is the module's directory: a test runs in its package's own.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(filepath.Dir(dir))
}

// under reports whether path is dir or lies below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func underAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return under(path, dir) })
}

// standard reports whether an import path is the standard library's: its first
// element has no dot, and it is not ours.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != module
}

// An onlyRule limits what a package imports by itself.
type onlyRule struct {
	pkg    string
	allow  []string // of this module, besides the standard library
	other  []string // of other modules
	reason string
}

var onlyRules = []onlyRule{
	{"rfc822", nil, nil, "it is a public package for any Go program: the standard library is all it needs"},
	{"xoauth", []string{"internal/host", "internal/printable"},
		[]string{"golang.org/x/oauth2", "golang.org/x/crypto", "software.sslmate.com/src/go-pkcs12"},
		"it is a public package and must not know this program"},
	{"cache", []string{"xoauth", "internal/durable", "internal/printable"}, []string{"golang.org/x/sys"},
		"it is a public package: options come in a struct of its own"},
	{"internal/history", []string{"internal/durable", "internal/printable"}, nil,
		"it keeps and finds lines of its own: it knows neither engine nor queue"},
	{"internal/quota", []string{"internal/durable", "internal/printable"}, nil,
		"it counts what others send: it knows no account but by name"},
	{"internal/fleet", []string{"internal/quota"}, []string{"github.com/nats-io", "golang.org/x/sys"},
		"it counts for several hosts: mail does not go through it, and options come in a struct of its own"},
	{"internal/account", nil, nil, "what Microsoft fixes depends on nothing of ours"},
	{"internal/printable", nil, nil, "every layer prints what strangers wrote"},
	{"internal/envelope", []string{"internal/printable"}, nil,
		"it is plain data that every layer shares; a caller's tag is text"},
	{"internal/sysexits", []string{"internal/printable"}, nil,
		"every layer may carry an exit code, so it must drag nothing in"},
	{"internal/durable", nil, []string{"golang.org/x/sys"}, "it is the lowest layer: nobody may have a reason to bypass it"},
	{"internal/smtpreply", []string{"internal/envelope", "internal/printable", "internal/sysexits"}, nil,
		"a reply is text: a server's is read, not judged, and the agent's stands for a receipt or an exit code"},
	{"internal/queue", []string{"internal/diagnose"}, nil,
		"who goes next is decided from what it is told: it reads no " +
			"spool and no clock, and reaches no server"},
	{"internal/diagnose", nil, nil, "what a reply means depends on the reply alone"},
	{"internal/emulator", nil, nil, "a peer that shared code with the program would share its mistakes"},
	{"internal/spool", []string{"internal/envelope", "internal/durable", "internal/quota", "internal/sysexits"},
		[]string{"golang.org/x/sys"}, "the queue knows messages, not how they are made or sent"},
	{"internal/importer", []string{"rfc822", "internal/account", "internal/durable", "internal/envelope",
		"internal/printable", "internal/spool", "internal/sysexits"}, nil,
		"it reads what another mailer left, for setup and for the spool: it neither sends nor knows a rule"},
	{"internal/submit", []string{"internal/diagnose", "internal/envelope", "internal/host",
		"internal/printable", "internal/smtpreply", "internal/sysexits"}, nil, "a session takes an option struct, never the configuration: " +
		"it stays testable alone"},
	{"internal/notify", []string{"rfc822", "internal/durable", "internal/envelope", "internal/maillog",
		"internal/printable", "internal/submit"}, []string{"github.com/emersion/go-message"},
		"it gets conditions and fates, and gives messages to submit: it knows neither engine nor queue"},
	{"internal/config", []string{"xoauth", "internal/account", "internal/host", "internal/printable",
		"internal/sysexits"}, []string{"github.com/BurntSushi/toml", "golang.org/x/sys"},
		"the packages take small option structs; only the command turns the file into them"},
}

func TestPackagesImportOnly(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, r := range onlyRules {
			if p.path() != r.pkg {
				continue
			}
			for _, i := range p.Imports {
				ours, isOurs := strings.CutPrefix(i, module+"/")
				switch {
				case standard(i), isOurs && slices.Contains(r.allow, ours), !isOurs && underAny(i, r.other):
				default:
					t.Errorf("%s imports %s: it may import the standard library, %q and %q: %s", r.pkg, i, r.allow, r.other, r.reason)
				}
			}
		}
	}
}

// A withoutRule forbids packages a dependency, however far away.
type withoutRule struct {
	pkgs   []string
	deps   []string
	reason string
}

var withoutRules = []withoutRule{
	{[]string{"rfc822", "internal/envelope", "internal/sysexits", "internal/durable", "internal/queue",
		"internal/spool"},
		[]string{"net", "crypto/tls", "os/exec"}, "what reads messages and keeps them must not be able to reach the network or start a program"},
	{[]string{"internal/importer"}, []string{"net", "crypto/tls", "os/exec"},
		"it reads files of strangers with root's rights"},
	{[]string{"internal/utc"}, []string{"time", "os", "fmt"},
		"it has to be initialised before package time, which opens what TZ names as soon as a package asks " +
			"for the zone"},
	{[]string{"cmd/front"}, []string{"crypto/tls", "net/http", "encoding/json", "encoding/asn1", "os/exec", "github.com/BurntSushi/toml", module + "/internal/config"},
		"its start-up is what every caller waits for: a package that is linked is initialised, used or not"},
	{[]string{"cmd/sendmail", "cmd/front"}, []string{module + "/internal/fleet", "github.com/nats-io/nats.go",
		"github.com/nats-io/nkeys"},
		"the client of a fleet's servers costs every start: serve turns into cmd/fleet where one is configured"},
	{[]string{"cmd/fleet"}, []string{"os/exec", "plugin", module + "/internal/emulator", "testing",
		"github.com/nats-io/nats-server/v2/server"}, "the program starts no other program and carries no test code"},
	{[]string{"internal/diagnose"}, []string{"net", "crypto/tls", "os"}, "a table of meanings touches nothing"},
	{[]string{"cmd/sendmail"}, []string{"os/exec", "plugin", module + "/internal/emulator", "testing"}, "the program starts no other program and carries no test code"},
}

func TestPackagesDoWithout(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, r := range withoutRules {
			if !slices.Contains(r.pkgs, p.path()) {
				continue
			}
			for _, d := range r.deps {
				if slices.Contains(p.Deps, d) {
					t.Errorf("%s depends on %s: %s", p.path(), d, r.reason)
				}
			}
		}
	}
}

// An importerRule names the only packages that import something.
type importerRule struct {
	imported  string
	importers []string
	reason    string
}

// socketPackages are those that open sockets.
var socketPackages = []string{"xoauth", "internal/submit", "internal/emulator", "internal/doctor", "internal/agent",
	"internal/route",
	"internal/smtpd", "internal/maillog", "internal/control", "cmd/m365-emulator"}

var importerRules = []importerRule{
	{"net", socketPackages, "only these open sockets; use net/netip for addresses"},
	{"net/http", []string{"xoauth", "internal/assemble", "internal/notify",
		"internal/emulator", "internal/doctor", "internal/agent", "internal/control"},
		"only these speak HTTP or choose the client for it"},
	{"crypto/tls", []string{"cmd/fleet", "internal/fleet", "xoauth", "internal/submit", "internal/smtpd",
		"internal/assemble", "internal/emulator", "internal/doctor", "internal/agent"},
		"only these speak TLS or choose its version"},
	{"net/smtp", nil, "it can neither pipeline nor chunk: internal/submit is our SMTP client"},
	{"os/exec", nil, "no part of the program starts another program"},
	{"plugin", nil, "no part of the program loads code"},
	{"os/user", []string{"internal/cli", "internal/agent", "internal/doctor", "internal/config"}, "names of users are for messages to people"},
	{"unsafe", []string{"rfc822", "internal/control"}, "no memory tricks in a program that parses strangers' mail; these " +
		"make one system call each that package syscall lacks"},
	{"time/tzdata", nil, "dates are written in a numeric zone"},
	{module + "/internal/emulator", []string{"cmd/m365-emulator"}, "only tests and the emulator's own command may link it"},
	{module + "/internal/direct", []string{"internal/cli"},
		"delivery without an agent is for one who has parsed a call"},
	{module + "/internal/importer", []string{"internal/cli"}, "no message goes by the way of another mailer's files"},
	{module + "/internal/cli", []string{"cmd/sendmail", "cmd/fleet"}, "modes sit on top: what two of them share belongs below"},
	{"github.com/nats-io/nats.go", []string{"internal/fleet"}, "one package speaks to a fleet's servers"},
	{module + "/internal/config", []string{"cmd/fleet", "internal/cli", "internal/direct", "internal/deliver", "internal/assemble",
		"internal/intake", "internal/agent", "internal/doctor"}, "lower layers take option structs of their own"},
	{"github.com/BurntSushi/toml", []string{"internal/config"}, "one package reads the configuration"},
	{"github.com/santhosh-tekuri/jsonschema/v6", nil, "only tests hold JSON against a schema"},
	{"golang.org/x/oauth2", []string{"xoauth"}, "one package asks for tokens"},
	{"golang.org/x/net/proxy", []string{"internal/assemble"}, "one place decides that connections go through a proxy: its package-level dialer follows the environment, which is the caller's"},
}

func TestOnlyTheseImport(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if !p.program() {
			continue
		}
		for _, r := range importerRules {
			if slices.Contains(p.Imports, r.imported) && !underAny(p.path(), r.importers) {
				t.Errorf("%s imports %s, which only %q may: %s", p.path(), r.imported, r.importers, r.reason)
			}
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment that says what it is for and what it never does", p.path())
		}
	}
}

func list(t *testing.T) []*pkg {
	t.Helper()
	l, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(l) < 3 {
		t.Fatalf("go list found %d packages: the rules were not tried", len(l))
	}
	return l
}

// TestDirectDependenciesAreMarked: go.mod tells the modules that the program itself uses from
// those that they bring with them.
func TestDirectDependenciesAreMarked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasSuffix(strings.TrimSpace(line), "// indirect") {
			continue
		}
		for _, p := range list(t) {
			if slices.ContainsFunc(p.Imports, func(i string) bool { return under(i, fields[0]) }) {
				t.Errorf("%s imports %s, which go.mod calls indirect: run go mod tidy", p.path(), fields[0])
			}
		}
	}
}
