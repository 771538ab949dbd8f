package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
)

const schemaDir = "../../docs/schemas"

// schemas are the files of schemaDir by their names.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	files, err := filepath.Glob(filepath.Join(schemaDir, "*.json"))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	all := map[string]*jsonschema.Schema{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(schemaID(path), doc); err != nil {
			return nil, err
		}
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if all[name], err = c.Compile(schemaID(path)); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// schemaID is the $id that a file has to have.
func schemaID(path string) string {
	return "urn:o365-sendmail:schema:" + strings.TrimSuffix(filepath.Base(path), ".json") + ":1"
}

// lines are the commands of which each line is a document.
var lines = []string{"queue-list", "queue-show", "queue-change", "queue-flush", "log"}

// schemaOf names the schema for what a command line prints with --json.
func schemaOf(args []string) string {
	has := func(word string) bool { return slices.Contains(args, word) }
	second := "list"
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		second = args[1]
	}
	switch args[0] {
	case "queue":
		switch second {
		case "retry", "hold", "release", "delete", "redirect", "export", "watch":
			second = "change"
		}
		return "queue-" + second
	case "config":
		if has("show") {
			return "config-show"
		}
		return "config-check"
	case "import":
		if has("--queue") {
			return "import-queue"
		}
		if second == "survey" {
			return "import-survey"
		}
	}
	return args[0]
}

// checkJSON holds what a command line printed against its schema, if it asked for JSON and got some. It returns the
// schema's name, "" for none.
func checkJSON(t testing.TB, args []string, stdout string) (name string) {
	t.Helper()
	if len(args) == 0 || args[0] == "completion" || !slices.Contains(args, "--json") || stdout == "" ||
		strings.HasPrefix(stdout, "usage: ") {
		return ""
	}
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	name = schemaOf(args)
	if all[name] == nil {
		t.Errorf("%v: there is no %s/%s.json", args, schemaDir, name)
		return name
	}
	docs := []string{stdout}
	if slices.Contains(lines, name) {
		docs = strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	}
	for _, doc := range docs {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		if err == nil {
			err = all[name].Validate(v)
		}
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, doc)
		}
	}
	return name
}

// TestSchemasAreStrict: each object of each schema names its properties and describes no others, and its $id is its
// file's name.
func TestSchemasAreStrict(t *testing.T) {
	t.Parallel()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(name, x)
			}
		case map[string]any:
			if _, ok := v["additionalProperties"]; v["type"] == "object" && !ok {
				t.Errorf("%s: %v takes other properties", name, v["properties"])
			}
			for _, x := range v {
				walk(name, x)
			}
		}
	}
	for name := range all {
		path := filepath.Join(schemaDir, name+".json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if doc["$id"] != schemaID(path) || doc["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: %v, %v", name, doc["$id"], doc["$schema"])
		}
		walk(name, doc)
	}
}

// TestVerbsHaveSchemas: what takes --json has a schema, each schema is of something that does, and o365-sendmail(8)
// names it.
func TestVerbsHaveSchemas(t *testing.T) {
	t.Parallel()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{"import-queue": true, "import-survey": true}
	for _, v := range verbs() {
		if help := call(t, "o365-sendmail", v.name, "--help").stdout; !strings.Contains(help, "--json") {
			continue
		}
		subs := subcommands[v.name]
		if v.name == "credential" { // its commands print one form
			subs = nil
		}
		for _, sub := range append([]string{""}, subs...) {
			wanted[schemaOf(append([]string{v.name}, strings.Fields(sub)...))] = true
		}
	}
	if w, is := slices.Sorted(maps.Keys(wanted)), slices.Sorted(maps.Keys(all)); !slices.Equal(w, is) {
		t.Errorf("schemas wanted: %v; there are: %v", w, is)
	}
	page := manPage(t, "o365-sendmail.8")
	for name := range all {
		if file := strings.ReplaceAll(name, "-", `\-`) + ".json"; !strings.Contains(page, "Pa "+file) {
			t.Errorf("o365-sendmail(8) does not name %s", file)
		}
	}
}

// TestEachSchemaIsMet: each command with --json prints what its schema says, when it succeeds and when it fails.
func TestEachSchemaIsMet(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	s.open()
	waits, held, gone := s.put(33, "x@example.org"), s.put(33, "y@example.net"), s.put(0, "z@example.net")
	s.claim(waits, func(it *spool.Item) error { return it.Defer(time.Now().Add(time.Hour), "own", "later") })
	s.claim(held, func(it *spool.Item) error { return it.Hold("by hand") })
	queues, broken := t.TempDir(), filepath.Join(t.TempDir(), "broken.toml")
	if err := os.CopyFS(queues, os.DirFS(theirs+"queue")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("tenant = 1\nmailbx = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	run := func(stdin string, args ...string) {
		t.Helper()
		args = append(args, "--json")
		r := s.verbWith(s.socket, stdin, args)
		s.silent(t, r)
		if r.stdout == "" {
			t.Errorf("%v: no JSON: %s", args, r.stderr)
		}
		seen[schemaOf(args)] = true
	}
	all := func() {
		for _, line := range []string{"config show", "config check", "config check -C " + broken, "credential",
			"credential test", "doctor", "doctor -C " + broken, "explain 432", "explain AADSTS7000222", "token",
			"import msmtp --from " + theirs + "msmtp", "import ssmtp --from " + theirs + "ssmtp",
			"import survey --from " + theirs + "survey",
			"import nullmailer --queue -C " + s.config + " --from " + queues,
			"import nullmailer --queue --write -C " + s.config + " --from " + queues,
			"queue list", "queue list --failed", "queue list --min-tries 99", "queue show " + waits, "queue show " + gone,
			"queue hold " + waits, "queue release " + waits, "queue retry " + waits, "queue delete " + gone,
			"queue redirect --to z@example.org " + waits, "queue export --folder " + t.TempDir() + " " + waits,
			"queue delete --dry-run all",
			"log", "log --status sent", "log --status gone", "stats", "stats --days 1", "send-test someone@example.org"} {
			if line == "token" && len(seen) > 10 {
				continue // the second time Entra refuses, and there is none
			}
			run("", strings.Fields(line)...)
		}
	}
	all()
	run(s.ClientSecret+"\n", s.setupArgs("--dry-run")...)
	run(s.ClientSecret+"\n", s.setupArgs("--no-doctor", "--yes")...)
	run("", "queue", "flush")
	if err := s.SetFault("secret-expired"); err != nil {
		t.Fatal(err)
	}
	_ = os.RemoveAll(filepath.Join(s.dir, "cache"))
	all()
	run("", "queue", "flush")
	one, _ := fleetSites(t, func(*queueview.Fleet) {})
	seen["fleet"] = one.as("o365-sendmail", "fleet", "--json").stdout != ""
	there, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for name := range there {
		if !seen[name] {
			t.Errorf("no command was run for %s", name)
		}
	}
}
