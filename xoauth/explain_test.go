package xoauth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestExplainKnowsEveryRow: every case of the tables is in Codes, and Codes holds nothing else.
func TestExplainKnowsEveryRow(t *testing.T) {
	t.Parallel()
	rows := []string{"AADSTS" + strconv.Itoa(aadAssertion)} // the one with a function of its own
	for _, table := range []struct {
		file, prefix string
		functions    []string
	}{
		{"advice.go", "AADSTS", []string{"diagnoseCredential", "diagnoseApplication", "diagnoseRequest",
			"diagnosePolicy", "diagnoseService"}},
		{"diagnose.go", "", []string{"diagnoseCode"}},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), table.file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && slices.Contains(table.functions, fn.Name.Name) {
				rows = append(rows, cases(fn, table.prefix)...)
			}
		}
	}
	slices.Sort(rows)
	known := slices.Sorted(slices.Values(Codes()))
	if !slices.Equal(rows, known) {
		t.Errorf("the tables have\n%v\nand Codes\n%v", rows, known)
	}
	for _, code := range known {
		if cause, _, ok := Explain(code, ""); !ok || cause == "" {
			t.Errorf("%s is not explained", code)
		}
	}
	for _, code := range []string{"", "AADSTS", "AADSTS1", "invalid_nothing", "0x1"} {
		if cause, _, ok := Explain(code, ""); ok {
			t.Errorf("%q is explained as %q", code, cause)
		}
	}
}

// cases returns the literals of a function's case clauses.
func cases(fn *ast.FuncDecl, prefix string) (list []string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				if lit, ok := e.(*ast.BasicLit); ok {
					s := lit.Value
					if u, err := strconv.Unquote(s); err == nil {
						s = u
					}
					list = append(list, prefix+s)
				}
			}
		}
		return true
	})
	return list
}
