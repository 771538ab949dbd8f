//go:build system

package system

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Programs that a person or a script sends mail with.
var mailCallers = []caller{
	{name: "bsd-mailx", pkg: "bsd-mailx", test: bsdMailx},
	{name: "s-nail", pkg: "s-nail", test: sNail},
	{name: "mailutils `mail`", pkg: "mailutils", test: mailutils},
	{name: "mutt", pkg: "mutt", test: mutt},
	{name: "git send-email", pkg: "git-email", test: gitSendEmail},
}

// attachments are the files that the callers attach.
type attachments struct {
	dir   string
	files map[string][]byte
	paths []string
}

// newAttachments makes one file of bytes that are no text, and one of text
// that a careless program changes.
func newAttachments(t *testing.T) attachments {
	t.Helper()
	binary := make([]byte, 30_000)
	for i := range binary {
		binary[i] = byte(i * i >> 3)
	}
	a := attachments{dir: lab.dir(t), files: map[string][]byte{"data.bin": binary,
		"notes.txt": []byte(trickyBody + "\n")}}
	for name, data := range a.files {
		path := filepath.Join(a.dir, name)
		a.paths = append(a.paths, path)
		must(t, os.WriteFile(path, data, 0o644))
	}
	slices.Sort(a.paths)
	return a
}

func jsonText(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func bsdMailx(t *testing.T, r *run) {
	c := r.call(t, "www-data", "/usr/bin/bsd-mailx", "-s", "disk "+r.marker, "-c", "cc@example.org", "-b", hidden,
		"you@example.org")
	c.stdin = strings.NewReader(trickyBody + "\n")
	succeed(t, c)
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "disk " + r.marker, body: trickyBody + "\n",
		header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
	})
}

func sNail(t *testing.T, r *run) {
	a := newAttachments(t)
	c := r.call(t, "www-data", "/usr/bin/s-nail", "-:/", "-Sv15-compat", "-Sttycharset=utf-8",
		"-s", "Überlauf "+r.marker, "-a", a.paths[0], "-a", a.paths[1], "-c", "cc@example.org", "-b", hidden,
		"you@example.org")
	c.stdin = strings.NewReader(trickyBody + "\n")
	succeed(t, c)
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überlauf " + r.marker, body: trickyBody +
			"\n", files: a.files,
		header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
	})
}

func mailutils(t *testing.T, r *run) {
	a := newAttachments(t)
	c := r.call(t, "www-data", "/usr/bin/mail.mailutils", "-s", "Überlauf "+r.marker, "-A", a.paths[0], "-A",
		a.paths[1],
		"-a", "Cc: cc@example.org", "-a", "Bcc: "+hidden, "-r", "app@web1.example", "you@example.org")
	// A line of one dot ends what it reads, even from a file.
	body := strings.Replace(trickyBody, "\n.\n", "\n", 1) + "\n"
	c.stdin = strings.NewReader(body)
	succeed(t, c)
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überlauf " + r.marker, body: body,
		files:  a.files,
		header: map[string]string{"To": "<you@example.org>", "Cc": "<cc@example.org>"},
	})
}

func mutt(t *testing.T, r *run) {
	a := newAttachments(t)
	c := r.call(t, "www-data", "/usr/bin/mutt", "-s", "Überlauf "+r.marker, "-a", a.paths[0], "-a", a.paths[1],
		"-c", "cc@example.org", "-b", hidden, "--", "you@example.org")
	c.stdin = strings.NewReader(trickyBody + "\n")
	succeed(t, c)
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überlauf " + r.marker, body: trickyBody +
			"\n", files: a.files,
		header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
	})
}

func gitSendEmail(t *testing.T, r *run) {
	dir := lab.dir(t)
	identity := []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Zoë", "GIT_AUTHOR_EMAIL=zoe@web1.example",
		"GIT_COMMITTER_NAME=Zoë", "GIT_COMMITTER_EMAIL=zoe@web1.example"}
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, identity...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	must(t, os.WriteFile(filepath.Join(dir, "file"), []byte(trickyBody+"\n"), 0o644))
	git("add", "file")
	git("commit", "-q", "-m", "add "+r.marker, "-m", "Größer, but\n.\nnot more.")
	patch := filepath.Join(dir, git("format-patch", "-1"))

	// No server is named: git looks for /usr/sbin/sendmail by itself.
	c := r.call(t, "", "git", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all", "--no-thread",
		"--8bit-encoding=UTF-8",
		"--from=Zoë <zoe@web1.example>", "--to=you@example.org", "--cc=cc@example.org", "--bcc="+hidden, patch)
	c.dir, c.env = dir, identity
	// Even with --quiet git says what it sent.
	if r := c.run(t); r.code != 0 || r.stderr != "" {
		t.Fatal(r)
	}
	data, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(data), "\n\n")
	if !ok {
		t.Fatalf("no body in %s", data)
	}
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "[PATCH] add " + r.marker, body: body,
		header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
	})
}
