package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// programFiles parses each file of the program, tests left out.
func programFiles(t *testing.T, visit func(p *pkg, set *token.FileSet, file *ast.File)) {
	t.Helper()
	for _, p := range list(t) {
		if !p.program() {
			continue
		}
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("%s/%s: %v", p.path(), name, err)
				continue
			}
			visit(p, set, file)
		}
	}
}

// called returns "package.Function" if n is a call of an imported function.
func called(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := f.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + f.Sel.Name
}

// Start-up is paid for each message: a caller's process lives a few milliseconds.
func TestNoWorkAtStart(t *testing.T) {
	t.Parallel()
	costly := map[string]bool{"regexp.MustCompile": true, "regexp.Compile": true, "template.Must": true,
		"template.New": true}
	programFiles(t, func(p *pkg, set *token.FileSet, file *ast.File) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				// One package may clear the environment before package time reads TZ.
				if d.Name.Name == "init" && d.Recv == nil && p.path() != "internal/utc" {
					t.Errorf("%s: func init: start-up is paid for each message", set.Position(d.Pos()))
				}
			case *ast.GenDecl:
				ast.Inspect(d, func(n ast.Node) bool {
					// What a function value does is not done at start.
					if _, ok := n.(*ast.FuncLit); ok {
						return false
					}
					if f := called(n); costly[f] {
						t.Errorf("%s: %s at package level: start-up is paid for each message", set.Position(n.Pos()), f)
					}
					return true
				})
			}
		}
	})
}

// callerRules name the only packages that call a function of the standard library.
var callerRules = []struct {
	function string
	callers  []string
	reason   string
}{
	{"os.Rename", []string{"internal/durable", "internal/emulator", "cmd/m365-emulator"},
		"a rename without the directory's fsync is lost with the power"},
	{"os.Exit", []string{"cmd", "internal/emulator", "internal/sysexits"},
		"only a main function ends the process, or a fault of the program: deferred work has to run"},
	{"net.Dial", socketPackages, "only these open sockets"},
	{"net.DialTimeout", socketPackages, "only these open sockets"},
	{"net.Listen", socketPackages, "only these open sockets"},
	{"log.Fatal", nil, "only a main function ends the process"},
	{"log.Fatalf", nil, "only a main function ends the process"},
	{"syscall.Exec", []string{"cmd/front", "cmd/sendmail"}, "the quick program turns into the whole one, that one " +
		"into the one for a fleet, and nothing into anything else"},
	{"syscall.ForkExec", nil, "no part of the program starts another program"},
	{"os.StartProcess", []string{"internal/direct"}, "the program starts itself for a queue run, and nothing else"},
	{"os.Getenv", []string{"cmd", "internal/cli", "internal/agent", "internal/maillog"},
		"the environment is the caller's: who reads it decides which variable may matter"},
	{"http.ProxyFromEnvironment", nil, "a caller's proxy variable must not see the client secret"},
	{"x509.SystemCertPool", []string{"internal/doctor"},
		"it loads every certificate twice, which costs 10 ms a message"},
}

func TestOnlyTheseCall(t *testing.T) {
	t.Parallel()
	programFiles(t, func(p *pkg, set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			f := called(n)
			for _, r := range callerRules {
				if f == r.function && !underAny(p.path(), r.callers) {
					t.Errorf("%s: calls %s, which only %q may: %s", set.Position(n.Pos()), f, r.callers, r.reason)
				}
			}
			return true
		})
	})
}

// trackedFiles lists the repository's own text files: those that git knows, or
// all below the root if this is not a checkout.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--exclude-standard")
	cmd.Dir = root()
	if out, err := cmd.Output(); err == nil && len(out) > 0 {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	var files []string
	err := filepath.WalkDir(root(), func(path string, e os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == ".git" || e.Name() == "bin" || e.Name() == "build" || e.Name() == "dist"):
			return filepath.SkipDir
		case e.Type().IsRegular():
			rel, _ := filepath.Rel(root(), path)
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// bannedText is what no file of the repository says. The words are put together
// here, so that this file may hold them.
var bannedText = []struct {
	pattern, reason string
	testdata        bool // may stand in testdata
}{
	{`\b(` + "TO" + `DO|FIX` + `ME|XX` + `X:|HACK` + `:)`, "finish it, or say in docs what is left out", false},
	{`(^|[^\w/.-])/wor` + `k/`, "a path of somebody's machine", false},
	{`/tmp/pl` + `an\b`, "a path of somebody's machine", false},
	{`\.\./shar` + `ed\b`, "a path of somebody's machine", false},
	{`/home/[a-z]+/(src|git|go|o365)`, "a path of somebody's machine", false},
	{`(?i)\bissue #?[0-9]+\b`, "a reader can't look it up: write the reason down", false},
	{`(?i)\b(chat` + `gpt|copi` + `lot|clau` + `de|langu` + `age model)\b`, "the project speaks only of itself", false},
	{`eyJ[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]{30,}`, "a signed token: make one in the test", true},
	{"-----BEGIN (RSA |EC |ENCRYPTED )?PRIVATE " + "KEY-----\n[A-Za-z0-9+/]{20}", "a private key: make one in the test",
		true},
}

func TestFilesSayOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	var banned []*regexp.Regexp
	for _, b := range bannedText {
		banned = append(banned, regexp.MustCompile(b.pattern))
	}
	files := trackedFiles(t)
	if len(files) < 10 {
		t.Fatalf("%d files found: the rules were not tried", len(files))
	}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(root(), name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
			continue // a test's bytes, not text
		}
		for i, re := range banned {
			if bannedText[i].testdata && strings.Contains(name, "/testdata/") {
				continue
			}
			if at := re.FindIndex(data); at != nil {
				line := 1 + bytes.Count(data[:at[0]], []byte("\n"))
				t.Errorf("%s:%s: %q: %s", name, strconv.Itoa(line), data[at[0]:at[1]], bannedText[i].reason)
			}
		}
	}
}

// TestOnlyTheseRevealSecrets: everywhere else a secret stays a value that no print shows.
func TestOnlyTheseRevealSecrets(t *testing.T) {
	t.Parallel()
	allowed := []string{"xoauth", "cache", "internal/assemble", "internal/deliver", "internal/control"}
	programFiles(t, func(p *pkg, set *token.FileSet, file *ast.File) {
		if underAny(p.path(), allowed) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Reveal" {
				t.Errorf("%s: Reveal, which only %q may call: a secret goes to the token endpoint, the cache, "+
					"AUTH and who may have tokens, and nowhere else", set.Position(n.Pos()), allowed)
			}
			return true
		})
	})
}

// maxMethods is how many methods a type of these packages has at most: one with more holds several ideas.
const maxMethods = 45

func TestTypesAreSmall(t *testing.T) {
	t.Parallel()
	methods := map[string]int{}
	programFiles(t, func(p *pkg, _ *token.FileSet, file *ast.File) {
		if !underAny(p.path(), []string{"internal/deliver", "internal/notify", "internal/queue"}) {
			return
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[p.path()+"."+receiver(f.Recv.List[0].Type)]++
			}
		}
	})
	if len(methods) < 10 {
		t.Fatalf("only %d types were seen", len(methods))
	}
	for name, n := range methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods: what of them has fields of its own is a type of its own", name, n)
		}
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
