package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	samplePath = "../../etc-sample/o365-sendmail.toml"
	manualPath = "../../docs/o365-sendmail.toml.5"
)

func TestSampleIsCurrent(t *testing.T) {
	t.Parallel()
	golden(t, samplePath, Sample())
	for n, line := range strings.Split(Sample(), "\n") {
		if len(line) > 79 && strings.HasPrefix(line, "##") {
			t.Errorf("line %d has %d characters", n+1, len(line))
		}
	}
}

func TestSampleLoads(t *testing.T) {
	t.Parallel()
	c, err := Loader{}.Load(write(t, Sample()))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Key != "client_id" {
		t.Errorf("warnings: %v", c.Warnings)
	}
	// All it sets is what it must.
	bare, err := Loader{}.Load(write(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range c.Effective() {
		if s.Line == 0 && s.Value != bare.Effective()[i].Value {
			t.Errorf("%s = %s in the sample, %s by default", s.Key, s.Value, bare.Effective()[i].Value)
		}
	}
}

// With its comment signs taken away the sample has every key, and each line is right by itself.
func TestSampleUncommented(t *testing.T) {
	t.Parallel()
	src := regexp.MustCompile(`(?m)^# (.*=.*|\[.*)$`).ReplaceAllString(Sample(), "$1")
	r := &reader{c: new(Config), file: "sample"}
	tree := r.parse(src, false)
	if tree != nil {
		r.table("", tree)
	}
	for _, f := range r.faults {
		if f.Line > 9 {
			t.Error(f)
		}
	}
	for _, k := range Keys() {
		if !r.given(k.Name) {
			t.Errorf("the sample lacks %s", k.Name)
		}
	}
}

func TestManualIsCurrent(t *testing.T) {
	t.Parallel()
	golden(t, manualPath, manual())
	for _, want := range []string{".Sh NAME", ".Sh SYNOPSIS", ".Sh DESCRIPTION", ".Sh KEYS", ".Sh FILES", ".Sh EXIT STATUS", ".Sh SECURITY"} {
		if !strings.Contains(manual(), want+"\n") {
			t.Errorf("the manual lacks %s", want)
		}
	}
	for _, k := range Keys() {
		if !strings.Contains(manual(), ".It Ic "+k.Name+"\n") {
			t.Errorf("the manual lacks %s", k.Name)
		}
	}
}

func TestManualHasNoWarnings(t *testing.T) {
	t.Parallel()
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("no man command here: the page's markup is not checked")
	}
	path, err := filepath.Abs(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80", "MANROFFSEQ=")
	cmd.WaitDelay = time.Minute
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v: %s", err, stderr.String())
	}
}

// The manual's examples are read by the program that they are for.
func TestManualExamplesLoad(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile(`(?s)\.Bd -literal -offset indent\n(.*?)\.Ed`).FindAllStringSubmatch(manual(), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		text := strings.ReplaceAll(b[1], `\-`, "-")
		switch {
		case strings.HasPrefix(text, "/etc"):
			continue
		case strings.HasPrefix(text, "[credential]"):
			text = strings.Replace(minimal, "client_secret", "# ", 1) + text
		}
		if _, err := (Loader{}).Load(write(t, text)); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
