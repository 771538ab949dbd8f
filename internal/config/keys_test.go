package config

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/xoauth"
)

var update = flag.Bool("update", false, "write the sample file, the manual page and the corpus' messages again")

func TestKeyTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	fields := map[any]string{}
	c := new(Config)
	for i := range groups {
		for _, k := range groups[i].keys {
			if seen[k.Name] {
				t.Errorf("%s is there twice", k.Name)
			}
			seen[k.Name] = true
			if g := groups[i].name; g != "" && k.Name != g && !strings.HasPrefix(k.Name, g+".") {
				t.Errorf("%s stands in the group %s", k.Name, g)
			}
			p := k.field(c)
			if other := fields[p]; other != "" {
				t.Errorf("%s and %s share a field", k.Name, other)
			}
			fields[p] = k.Name
			if !regexp.MustCompile(`^\S.*[^ ][.]$`).MatchString(k.Help) || k.More != "" && !strings.HasSuffix(k.More, ".") {
				t.Errorf("%s: help and more end in a full stop: %q %q", k.Name, k.Help, k.More)
			}
			if strings.IndexFunc(k.Help+k.More+k.Derived, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("%s: help must be ASCII for the manual page", k.Name)
			}
			if k.defaultText() == "" && k.Default == nil && k.Example == "" {
				t.Errorf("%s has neither default nor example", k.Name)
			}
			if k.Default != nil && (k.Required || k.Derived != "" && k.Kind != KindEnum) {
				t.Errorf("%s has a default and is required or derived", k.Name)
			}
			if k.Expects() == "" {
				t.Errorf("%s: nothing is expected", k.Name)
			}
			if lookup(k.Name) == nil {
				t.Errorf("%s is not found", k.Name)
			}
		}
	}
}

func TestDefaultsPassTheirOwnChecks(t *testing.T) {
	t.Parallel()
	r := &reader{c: new(Config), file: "defaults"}
	r.defaults()
	for _, f := range r.faults {
		t.Error(f)
	}
}

func TestExamplesPassTheirOwnChecks(t *testing.T) {
	t.Parallel()
	for _, k := range Keys() {
		if k.Example == "" {
			continue
		}
		src := k.Name + " = " + k.Example
		if k.isTable() {
			src = "[" + k.Name + "]\n" + k.Example
		}
		r := &reader{c: new(Config), file: k.Name}
		r.table("", r.parse(src, false))
		for _, f := range r.faults {
			t.Error(f)
		}
		if reflect.ValueOf(k.field(r.c)).Elem().IsZero() {
			t.Errorf("%s: the example sets nothing", k.Name)
		}
	}
}

// Every exported field of Config that a file can set has a key.
func TestEveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	c := new(Config)
	have := map[any]bool{}
	for _, k := range Keys() {
		have[k.field(c)] = true
	}
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "Path" || f.Name == "Warnings" || f.Name == "Ignored" {
				continue
			}
			at := name + "." + f.Name
			if have[v.Field(i).Addr().Interface()] {
				continue
			}
			if v.Field(i).Kind() != reflect.Struct || f.Type.PkgPath() == "time" {
				t.Errorf("no key sets %s", at)
				continue
			}
			walk(v.Field(i), at)
		}
	}
	walk(reflect.ValueOf(c).Elem(), "Config")
}

// These names and values are a promise.
func TestNamesThatStay(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(`tenant client_id client_secret client_secret_file mailbox cloud root_to alert_to
		smtp.host smtp.port smtp.ipv4_only smtp.timeout token.url token.proxy tls.ca_file tls.min_version cache.dir
		spool.dir spool.max_messages spool.max_bytes spool.max_messages_per_user spool.keep_free spool.lifetime
		agent.socket agent.listen delivery.mode delivery.wait delivery.connections delivery.messages_per_minute
		delivery.recipients_per_day delivery.max_recipients delivery.max_size from.policy from.send_as from.sign_in
		aliases log.to log.format`) {
		if lookup(name) == nil {
			t.Errorf("%s is gone", name)
		}
	}
	for name, values := range map[string]string{
		"cloud": "global gcc-high dod china", "delivery.mode": "interactive background queue",
		"from.policy": "rewrite keep map", "from.sign_in": "mailbox sender",
		"log.to": "journal syslog stderr", "log.format": "text json",
		"credential.type": "secret certificate federated managed-identity device-code",
	} {
		if got := strings.Join(lookup(name).Values, " "); got != values {
			t.Errorf("%s = %s, want %s", name, got, values)
		}
	}
}

// The clouds are those that package xoauth has hosts for.
func TestCloudsAreKnown(t *testing.T) {
	t.Parallel()
	if got, want := lookup("cloud").Values, xoauth.CloudNames(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// golden compares with a committed file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what the key table makes; run: go test ./internal/config -update", path)
	}
}
