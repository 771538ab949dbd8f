// Package test holds the tests of the scripts beside it, with stubs for what they call.
package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// path makes a directory that is all of a script's PATH: stubs, and links to the tools that it uses.
func path(t *testing.T, stubs map[string]string, tools ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range stubs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range append(tools, "sh", "dirname") {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Skip("no ", tool)
		}
		if err := os.Symlink(real, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script runs one with nothing on standard input, and returns its exit code and all that it printed.
func script(t *testing.T, dir string, env []string, args ...string) (int, string) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	cmd := exec.Command(sh, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestPackages(t *testing.T) {
	t.Parallel()
	const (
		none = `case "$*" in *ca-certificates*|*golang-go*) exit 1;; esac; echo installed`
		all  = "echo installed"
		apt  = `echo "apt-get $*"`
	)
	for name, c := range map[string]struct {
		suite, uid, gover, dpkg, apt, ci string
		args                             []string
		code                             int
		says, not                        string
	}{
		"all is there": {"trixie", "0", "go1.24.4", all, apt, "", []string{"go", "system"}, 0, "", "apt-get"},
		"no root": {"trixie", "1000", "go1.24.4", none, apt, "true", []string{"go"}, 3,
			"as root: apt-get install --no-remove --no-install-recommends ca-certificates\n", "update"},
		"root, nobody to ask": {"trixie", "0", "go1.24.4", none, apt, "", []string{"go"}, 3,
			"missing packages: ca-certificates", "update"},
		"old Go, bookworm": {"bookworm", "0", "go1.19.8", all, apt, "", []string{"go"}, 1,
			"Go 1.21 or newer is needed, this is 1.19.8: add the suite bookworm-backports beside bookworm to apt's " +
				"sources; apt-get update; apt-get install --no-remove -t bookworm-backports golang-go", ""},
		"no Go, bookworm": {"bookworm", "0", "", all, apt, "", []string{"go"}, 1, "there is none: add the suite", ""},
		"no Go, trixie": {"trixie", "1000", "", none, apt, "", []string{"go"}, 1,
			"recommends ca-certificates golang-go\n", "needed"},
		"old Go elsewhere": {"", "0", "go1.20", all, apt, "", []string{"go"}, 1,
			"this is 1.20: get it from https://go.dev/dl\n", ""},
		"the oldest Go":   {"bookworm", "0", "go1.21rc2", all, apt, "", []string{"go"}, 0, "", "needed"},
		"Go 2":            {"bookworm", "0", "go2.0", all, apt, "", []string{"go"}, 0, "", "needed"},
		"its development": {"bookworm", "0", "devel go1.27-abc", all, apt, "", []string{"go"}, 0, "", "needed"},
		"unknown word":    {"bookworm", "0", "go1.24", all, apt, "", []string{"all"}, 64, "all: it takes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stubs := map[string]string{"dpkg-query": c.dpkg, "apt-get": c.apt, "id": "echo " + c.uid, "npm": ""}
			if c.gover != "" {
				stubs["go"] = "echo '" + c.gover + "'"
			}
			release := filepath.Join(t.TempDir(), "os-release")
			if err := os.WriteFile(release, []byte("VERSION_CODENAME="+c.suite+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			env := []string{"PATH=" + path(t, stubs, "sed"), "CI=" + c.ci, "OS_RELEASE=" + release}
			code, out := script(t, ".", env, append([]string{"packages.sh"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.says) || c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("exit %d, want %d; printed\n%s", code, c.code, out)
			}
			if n := strings.Count(out, "\n"); n > 3 {
				t.Errorf("%d lines:\n%s", n, out)
			}
		})
	}
}

// TestCheckSkips: a step runs if all its programs are there, in CI always, and else a line names what is missing.
func TestCheckSkips(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uid, ci, strace string
		packages        string
		want, not       string
	}{
		"dpkg without strace": {"0", "", "", "exit 3", "crash tests: SKIP: they need strace", "ran crash"},
		"both":                {"0", "", "yes", "exit 3", "ran crash", "crash tests: SKIP"},
		"no root":             {"1000", "", "yes", "exit 3", "crash tests: SKIP: they need root", "ran crash"},
		"in CI":               {"0", "true", "", "exit 0", "ran crash", "SKIP"},
		"in CI, no packages":  {"0", "true", "yes", "exit 3", "make check: FAIL: packages", "ran"},
		"no Go":               {"0", "", "yes", "exit 1", "make check: FAIL: packages", "ran"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			raw, err := os.ReadFile("check.sh")
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"check.sh": string(raw),
				"packages.sh": "#!/bin/sh\n" + c.packages + "\n"} {
				if err := errors.Join(os.MkdirAll(top+"/test", 0o755), os.WriteFile(top+"/test/"+file, []byte(text),
					0o755)); err != nil {
					t.Fatal(err)
				}
			}
			stubs := map[string]string{"make": `echo "ran $2"`, "id": "echo " + c.uid, "dpkg": ""}
			if c.strace != "" {
				stubs["strace"] = ""
			}
			env := []string{"PATH=" + path(t, stubs, "bash", "rm", "mkdir", "tee", "grep", "cut"), "CI=" + c.ci}
			_, out := script(t, top, env, "-c", "exec bash test/check.sh")
			if !strings.Contains(out, c.want) || strings.Contains(out, c.not) {
				t.Errorf("printed\n%s", out)
			}
		})
	}
}
