//go:build system

package system

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A recorder is the directory in which a wrapper around our binary writes down
// what callers gave it. The wrapper becomes our binary: descriptors, user,
// environment and exit code are the caller's and ours.
type recorder string

// newRecorder makes a wrapper. With input it keeps the message too, for callers
// whose text a test can't foretell.
func newRecorder(t *testing.T, input bool) recorder {
	t.Helper()
	dir := lab.dir(t)
	script := `{ printf '%s\0' "$0" "$@"; echo; } >>'` + dir + `/calls/'$$` + "\n"
	if input {
		script += `cat >'` + dir + `/input/'$$` + "\n" + `exec '` + lab.program + `' "$@" <'` + dir + `/input/'$$` +
			"\n"
	} else {
		script += `exec '` + lab.program + `' "$@"` + "\n"
	}
	for _, sub := range []string{"calls", "input"} {
		must(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
		must(t, os.Chmod(filepath.Join(dir, sub), 0o777|os.ModeSticky))
	}
	must(t, os.WriteFile(filepath.Join(dir, "sendmail"), []byte("#!/bin/sh\n"+script), 0o755))
	return recorder(dir)
}

func (r recorder) wrapper() string { return filepath.Join(string(r), "sendmail") }

// calls returns the command lines, each once, sorted.
func (r recorder) calls(t *testing.T) (lines []string) {
	t.Helper()
	for _, data := range r.files(t, "calls") {
		for record := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte("\n")), []byte("\x00\n")) {
			args := strings.Split(strings.TrimSuffix(string(record), "\x00"), "\x00")
			for i, a := range args {
				if a == "" || strings.ContainsAny(a, " \t\n'\"\\") {
					args[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
				}
			}
			lines = append(lines, strings.Join(args, " "))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// message returns the only message that the caller wrote.
func (r recorder) message(t *testing.T) []byte {
	t.Helper()
	files := r.files(t, "input")
	if len(files) != 1 {
		t.Fatalf("the caller ran sendmail %d times, want once", len(files))
	}
	return files[0]
}

func (r recorder) files(t *testing.T, sub string) (all [][]byte) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(string(r), sub))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(string(r), sub, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}
