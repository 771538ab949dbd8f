//go:build package

package pkgtest

import (
	"bufio"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// extract unpacks the package.
func extract(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "-x", deb, dir).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	return dir
}

func field(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("dpkg-deb", "-f", deb, name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestControlFields(t *testing.T) {
	for _, name := range []string{"Provides", "Conflicts", "Replaces"} {
		if got := field(t, name); got != "mail-transport-agent" {
			t.Errorf("%s: %s, want mail-transport-agent", name, got)
		}
	}
	for _, dep := range []string{"adduser", "ca-certificates"} {
		if !strings.Contains(field(t, "Depends"), dep) {
			t.Errorf("no dependency on %s", dep)
		}
	}
}

// The programs are static, have no set-id bit, and were built as they say.
func TestProgram(t *testing.T) {
	dir := extract(t)
	linked := map[string]bool{}
	for _, name := range []string{"sbin/o365-sendmail", "sbin/sendmail", "lib/o365-sendmail/fleet"} {
		for _, m := range checkProgram(t, filepath.Join(dir, "usr", name)).Deps {
			linked[m.Path] = true
		}
	}
	checkCopyright(t, filepath.Join(dir, "usr/share/doc/o365-sendmail/copyright"), linked)
}

// What is for other programs is installed as it is in the repository.
func TestShared(t *testing.T) {
	dir := extract(t)
	for _, from := range []struct{ folder, files, to string }{
		{"../../packaging/prometheus", "*.yml", ""}, {"../../packaging/prometheus", "*.json", ""},
		{"../../docs/schemas", "*.json", "schemas"},
	} {
		files, err := filepath.Glob(filepath.Join(from.folder, from.files))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no files, %v", from.folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.yml") {
				continue
			}
			got, err := os.ReadFile(filepath.Join(dir, "usr/share/o365-sendmail", from.to, filepath.Base(file)))
			want, err2 := os.ReadFile(file)
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v, %v", file, err, err2)
			}
		}
	}
}

func checkProgram(t *testing.T, program string) *debug.BuildInfo {
	t.Helper()
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o755 {
		t.Errorf("mode %v, want -rwxr-xr-x", info.Mode())
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has %v", p.Type)
		}
	}
	b, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range b.Settings {
		settings[s.Key] = s.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || settings["vcs"] != "" {
		t.Errorf("built with %v", settings)
	}
	t.Logf("%s, %s/%s, %d bytes", b.GoVersion, settings["GOOS"], settings["GOARCH"], info.Size())
	return b
}

// Every module that is linked has its paragraph in the copyright file, and no other.
func checkCopyright(t *testing.T, path string, linked map[string]bool) {
	t.Helper()
	copyright, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for m := range linked {
		if !bytes.Contains(copyright, []byte("Comment: Linked: Go module "+m+".\n")) {
			t.Errorf("packaging/deb/debian/copyright lacks the module %s", m)
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(copyright))
	for lines.Scan() {
		if path, ok := strings.CutPrefix(lines.Text(), "Comment: Linked: Go module "); ok &&
			!linked[strings.TrimSuffix(path, ".")] {
			t.Errorf("packaging/deb/debian/copyright names %s which is not linked", path)
		}
	}
}

// The manual pages are there and man(1) has nothing to say about them.
func TestManual(t *testing.T) {
	t.Parallel()
	c := newChroot(t, "bookworm")
	c.noServices()
	c.install("/tmp/o365-sendmail.deb")
	for _, page := range []string{"8 sendmail", "1 mailq", "1 newaliases", "8 o365-sendmail", "5 o365-sendmail.toml"} {
		if r := c.run("man --warnings -E UTF-8 -P cat " + page + " 2>&1 >/dev/null"); r.code != 0 || r.out != "" {
			t.Errorf("man %s: exit %d: %s", page, r.code, r.out)
		}
	}
}
