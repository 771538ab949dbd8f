//go:build system

package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trickyBody holds what a careless program changes: lines of dots, non-ASCII
// text, "From " at the start of a line, trailing blanks.
const trickyBody = "Grüße aus Köln, 10 €\n.\n..\n. .\nFrom here on\n>From there\nblanks at the end  \n\n\nlast line"

// newMarker makes a text that is in one message only.
func newMarker(what string) string {
	return what + "-" + strconv.FormatInt(lab.calls.Add(1), 10) + "-" + strconv.Itoa(os.Getpid())
}

// forEachTarget runs a test against the emulator and against Postfix.
func forEachTarget(t *testing.T, test func(t *testing.T, to target)) {
	t.Parallel()
	for _, to := range targets() {
		t.Run(to.name(), func(t *testing.T) {
			t.Parallel()
			test(t, to)
		})
	}
}

// succeed runs a call that has to end with 0 and print nothing.
func succeed(t *testing.T, c *call) {
	t.Helper()
	if r := c.run(t); r.code != 0 || r.stdout != "" || r.stderr != "" {
		t.Fatalf("%v, want exit 0 and silence", r)
	}
}

func TestPHP(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("php")
		body := trickyBody + "\n" + strings.Repeat("long line ", 200)
		script := `exit(mail("You <you@example.org>, other@example.org", $argv[1], $argv[2], [
			"From" => "Shop <shop@web1.example>", "Cc" => "cc@example.org", "Bcc" => "` + hidden + `", "X-Mailer" => "PHP/" . phpversion(),
			"MIME-Version" => "1.0", "Content-Type" => "text/plain; charset=utf-8", "Content-Transfer-Encoding" => "8bit",
		], "-fbounce@web1.example") ? 0 : 1);`
		succeed(t, newCall(t, to, "www-data", "/usr/bin/php", "-r", script, "--", "=?UTF-8?Q?Bestellung_f=C3=BCr?= "+marker, body))
		expectation{
			to: []string{"you@example.org", "other@example.org", "cc@example.org", hidden}, subject: "Bestellung für " + marker,
			body: body + "\n", header: map[string]string{"To": "You <you@example.org>, other@example.org", "Cc": "cc@example.org"},
		}.check(t, one(t, to, marker), to.mailbox())
	})
}

// TestPHPFails shows that PHP says false when the mail was refused.
func TestPHPFails(t *testing.T) {
	t.Parallel()
	c := newCall(t, lab.postfix, "www-data", "/usr/bin/php", "-r", `exit(mail("you@example.org", "s", "b") ? 0 : 9);`)
	c.config = strings.Replace(c.config, lab.authority.clientSecret, "wrong", 1)
	if r := c.run(t); r.code != 9 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "AADSTS7000215") {
		t.Errorf("%v, want false from mail() and one line on stderr that names AADSTS7000215", r)
	}
}

func TestBSDMailx(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("mailx")
		c := newCall(t, to, "www-data", "/usr/bin/bsd-mailx", "-s", "disk "+marker, "-c", "cc@example.org", "-b", hidden, "you@example.org")
		c.stdin = strings.NewReader(trickyBody + "\n")
		succeed(t, c)
		expectation{
			to: []string{"you@example.org", "cc@example.org", hidden}, subject: "disk " + marker, body: trickyBody + "\n",
			header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
		}.check(t, one(t, to, marker), to.mailbox())
	})
}

func TestSNail(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("s-nail")
		c := newCall(t, to, "www-data", "/usr/bin/s-nail", "-:/", "-Sv15-compat", "-Sttycharset=utf-8",
			"-s", "Überlauf "+marker, "-c", "cc@example.org", "-b", hidden, "you@example.org")
		c.stdin = strings.NewReader(trickyBody + "\n")
		succeed(t, c)
		expectation{
			to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überlauf " + marker, body: trickyBody + "\n",
			header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
		}.check(t, one(t, to, marker), to.mailbox())
	})
}

func TestGitSendEmail(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("git")
		dir := lab.dir(t)
		git := func(args ...string) string {
			cmd := exec.Command("git", args...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1",
				"GIT_AUTHOR_NAME=Zoë", "GIT_AUTHOR_EMAIL=zoe@web1.example", "GIT_COMMITTER_NAME=Zoë", "GIT_COMMITTER_EMAIL=zoe@web1.example"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("git %q: %v: %s", args, err, out)
			}
			return strings.TrimSpace(string(out))
		}
		git("init", "-q")
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(trickyBody+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", "file")
		git("commit", "-q", "-m", "add "+marker, "-m", "Größer, but\n.\nnot more.")
		patch := filepath.Join(dir, git("format-patch", "-1"))

		c := newCall(t, to, "", "git", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all", "--no-thread", "--8bit-encoding=UTF-8",
			"--from=Zoë <zoe@web1.example>", "--to=you@example.org", "--cc=cc@example.org", "--bcc="+hidden,
			"--sendmail-cmd=/usr/sbin/sendmail", patch)
		c.dir, c.env = dir, []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Zoë", "GIT_AUTHOR_EMAIL=zoe@web1.example",
			"GIT_COMMITTER_NAME=Zoë", "GIT_COMMITTER_EMAIL=zoe@web1.example"}
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
		expectation{
			to: []string{"you@example.org", "cc@example.org", hidden}, subject: "[PATCH] add " + marker, body: body,
			header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
		}.check(t, one(t, to, marker), to.mailbox())
	})
}

// TestCron runs a real cron daemon with one job, whose output cron mails to the
// job's user: a bare local name, from root@host, which Exchange would refuse.
func TestCron(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("cron")
		dir := lab.dir(t)
		spool := filepath.Join(dir, "spool", "crontabs")
		if err := os.MkdirAll(spool, 0o755); err != nil {
			t.Fatal(err)
		}
		output := "Grüße\n.\n" + marker + "\n..\n"
		if err := os.WriteFile(filepath.Join(dir, "output"), []byte(output), 0o644); err != nil {
			t.Fatal(err)
		}
		crontab := filepath.Join(spool, "www-data")
		if err := os.WriteFile(crontab, []byte("HOME=/\nLANG=C.UTF-8\n* * * * * cat "+dir+"/output\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := chown(crontab, "www-data", "crontab"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
			t.Fatal(err)
		}
		c := newCall(t, to, "www-data", "/usr/sbin/cron", "-f")
		c.before = "mount --bind " + dir + "/spool /var/spool/cron; mount --bind " + dir + "/run /run"
		c.daemon = true
		cmd := c.command(t)
		log, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Cron fires at the full minute.
		d := within(t, 80*time.Second, to, marker)
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		text, _ := os.ReadFile(log.Name())
		lab.collect(t, string(text))
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		expectation{to: []string{"it@contoso.test"}, subject: "Cron <www-data@" + host + "> cat " + dir + "/output", body: output}.check(t, d, to.mailbox())
	})
}
