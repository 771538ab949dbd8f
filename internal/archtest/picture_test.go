package archtest

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the picture and the table in docs/design.md from the imports")

// A drawn part of docs/design.md stands between two lines.
const (
	drawnBegin = "<!-- %s: go test ./internal/archtest -run Picture -update -->\n"
	drawnEnd   = "<!-- end of %s -->\n"
)

// messageWay is the way of a message, as imports: the picture shows these as thick arrows.
var messageWay = [][2]string{
	{"cmd/front", "internal/route"}, {"cmd/sendmail", "internal/cli"}, {"internal/cli", "internal/route"},
	{"internal/route", "rfc822"}, {"internal/agent", "internal/smtpd"}, {"internal/agent", "internal/intake"},
	{"internal/agent", "internal/deliver"}, {"internal/cli", "internal/direct"}, {"internal/direct", "internal/intake"},
	{"internal/direct", "internal/deliver"}, {"internal/deliver", "internal/spool"},
	{"internal/deliver", "internal/submit"}, {"internal/deliver", "cache"}, {"cache", "xoauth"},
}

// socketArrow is the one step of a message from process to process, which no import shows.
const socketArrow = "  route -.->|socket| agent\n"

// A house is the packages that the two programs link, ours only, by their paths.
type house map[string]*pkg

// newHouse leaves out what only tests, benchmarks and the emulator link.
func newHouse(all []*pkg) house {
	linked := map[string]bool{}
	for _, p := range all {
		if p.path() == "cmd/sendmail" || p.path() == "cmd/front" {
			linked[p.ImportPath] = true
			for _, d := range p.Deps {
				linked[d] = true
			}
		}
	}
	h := house{}
	for _, p := range all {
		if linked[p.ImportPath] {
			h[p.path()] = p
		}
	}
	return h
}

// program reports whether a package is a program's own.
func program(name string) bool { return strings.HasPrefix(name, "cmd/") }

// imports are the packages of the house that a package imports.
func (h house) imports(name string) []string {
	var list []string
	for _, i := range h[name].Imports {
		if ours := strings.TrimPrefix(i, module+"/"); h[ours] != nil {
			list = append(list, ours)
		}
	}
	return list
}

// rooms are the packages from the top down: the programs, then by the longest way to the ground, then by name.
func (h house) rooms() []string {
	heights := map[string]int{}
	var height func(name string) int
	height = func(name string) int {
		if n, ok := heights[name]; ok {
			return n
		}
		n := 0
		for _, i := range h.imports(name) {
			n = max(n, 1+height(i))
		}
		if program(name) {
			n = len(h)
		}
		heights[name] = n
		return n
	}
	return slices.SortedFunc(maps.Keys(h), func(a, b string) int {
		return cmp.Or(cmp.Compare(height(b), height(a)), strings.Compare(a, b))
	})
}

// thin are the imports of a package that none of its other imports brings with it, without those of messageWay.
func (h house) thin(name string) []string {
	imports := h.imports(name)
	return slices.DeleteFunc(slices.Clone(imports), func(i string) bool {
		return slices.Contains(messageWay, [2]string{name, i}) || slices.ContainsFunc(imports, func(other string) bool {
			return slices.Contains(h[other].Deps, module+"/"+i)
		})
	})
}

// thick are the imports of a package by which a message goes on.
func (h house) thick(name string) []string {
	return slices.DeleteFunc(h.imports(name), func(i string) bool {
		return !slices.Contains(messageWay, [2]string{name, i})
	})
}

// picture is a flow chart in Mermaid's language, the packages from the top down.
func (h house) picture() string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for _, name := range h.rooms() {
		if program(name) {
			fmt.Fprintf(&b, "  %s([\"%s\"])\n", path.Base(name), name)
		}
		arrow(&b, name, "==>", h.thick(name))
		arrow(&b, name, "-->", h.thin(name))
	}
	b.WriteString(socketArrow + "```\n")
	return b.String()
}

// table has each package's one sentence, which begins "Package x is".
func (h house) table() string {
	var b strings.Builder
	b.WriteString("| Package | What it is or does |\n|---|---|\n")
	for _, name := range h.rooms() {
		doc := h[name].Doc
		if _, rest, ok := strings.Cut(doc, path.Base(name)+" "); ok {
			doc = strings.ReplaceAll(strings.TrimPrefix(rest, "is "), "|", `\|`)
		}
		first := min(1, len(doc))
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", name, strings.ToUpper(doc[:first]), doc[first:])
	}
	return b.String()
}

// arrow writes one line of arrows from a package to others, or none.
func arrow(b *strings.Builder, from, arrow string, to []string) {
	for i, name := range to {
		to[i] = path.Base(name)
	}
	if len(to) > 0 {
		fmt.Fprintf(b, "  %s %s %s\n", path.Base(from), arrow, strings.Join(to, " & "))
	}
}

// TestPicture holds the picture in docs/design.md against the imports and the packages' comments.
func TestPicture(t *testing.T) {
	t.Parallel()
	h := newHouse(list(t))
	names := map[string]string{}
	for name := range h {
		if other := names[path.Base(name)]; other != "" {
			t.Errorf("%s and %s have one name in the picture", name, other)
		}
		names[path.Base(name)] = name
	}
	for _, w := range messageWay {
		if h[w[0]] == nil || !slices.Contains(h.imports(w[0]), w[1]) {
			t.Errorf("messageWay: %s does not import %s", w[0], w[1])
		}
	}
	page := filepath.Join(root(), "docs", "design.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := redraw(t, string(text), "picture", h.picture())
	want = redraw(t, want, "table", h.table())
	switch {
	case want == string(text):
	case !*update:
		t.Error("docs/design.md differs from the imports: go test ./internal/archtest -run Picture -update")
	default:
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// redraw puts what is drawn between its two lines in the page.
func redraw(t *testing.T, page, what, drawn string) string {
	t.Helper()
	begin, end := fmt.Sprintf(drawnBegin, what), fmt.Sprintf(drawnEnd, what)
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("docs/design.md lacks the lines between which the %s stands:\n%s%s", what, begin, end)
	}
	return before + begin + drawn + end + after
}
