//go:build system

package system

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Programs that run jobs and mail what these print.
var jobCallers = []caller{
	{name: "cron", pkg: "cron", test: cron},
	{name: "anacron", pkg: "anacron", test: anacron},
	{name: "at", pkg: "at", test: atDaemon},
}

// jobOutput makes a file that a job prints.
func jobOutput(t *testing.T, r *run) (dir, output string) {
	t.Helper()
	dir = lab.dir(t)
	output = "Grüße\n.\n" + r.marker + "\n..\n"
	must(t, os.WriteFile(filepath.Join(dir, "output"), []byte(output), 0o644))
	return dir, output
}

// serveUntil runs a daemon until the message has come, which may take until the
// minute is full.
func serveUntil(t *testing.T, r *run, c *call, want expectation) {
	t.Helper()
	c.daemon = true
	cmd := c.command(t)
	log, err := os.Create(filepath.Join(lab.dir(t), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		text, _ := os.ReadFile(log.Name())
		lab.collect(t, string(text))
		if t.Failed() {
			t.Logf("output: %s", text)
		}
	}()
	r.arriveBy(t, 80*time.Second, r.marker, want)
}

func hostname(t *testing.T) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// cron runs a real daemon with one job of www-data's: the mail goes to a bare
// local name, from root@host, which Exchange would refuse.
func cron(t *testing.T, r *run) {
	dir, output := jobOutput(t, r)
	spool := filepath.Join(dir, "spool", "crontabs")
	must(t, os.MkdirAll(spool, 0o755))
	crontab := filepath.Join(spool, "www-data")
	must(t, os.WriteFile(crontab, []byte("HOME=/\nLANG=C.UTF-8\n* * * * * cat "+dir+"/output\n"), 0o600))
	must(t, chown(crontab, "www-data", "crontab"))
	c := r.call(t, "www-data", "/usr/sbin/cron", "-f")
	c.then("mount --bind " + dir + "/spool /var/spool/cron")
	c.ownRun()
	serveUntil(t, r, c, expectation{to: []string{root}, subject: "Cron <www-data@" + hostname(t) + "> cat " + dir +
		"/output", body: output})
}

// anacron runs the job in the foreground, as root like Debian's service.
func anacron(t *testing.T, r *run) {
	dir, output := jobOutput(t, r)
	// It calls sendmail without -i, for which a line of one dot is the end.
	output = strings.Replace(output, "\n.\n", "\n", 1)
	must(t, os.WriteFile(filepath.Join(dir, "output"), []byte(output), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "spool"), 0o755))
	tab := filepath.Join(dir, "anacrontab")
	must(t, os.WriteFile(tab, []byte("SHELL=/bin/sh\nHOME=/root\nLOGNAME=root\n1 0 cron.test cat "+dir+"/output\n"),
		0o644))
	c := r.call(t, "", "/usr/sbin/anacron", "-d", "-q", "-s", "-t", tab, "-S", filepath.Join(dir, "spool"))
	// It says on stderr which jobs it starts.
	if got := c.run(t); got.code != 0 {
		t.Fatal(got)
	}
	r.arrive(t, expectation{to: []string{root}, subject: "Anacron job 'cron.test' on " + hostname(t), body: output})
}

// atDaemon runs the daemon and gives it a job as a user who may.
func atDaemon(t *testing.T, r *run) {
	dir, output := jobOutput(t, r)
	for _, d := range []string{"atjobs", "atspool"} {
		path := filepath.Join(dir, "spool", d)
		must(t, os.MkdirAll(path, 0o755))
		must(t, os.Chmod(path, 0o770|os.ModeSticky))
		must(t, chown(path, "daemon", "daemon"))
	}
	must(t, os.WriteFile(filepath.Join(dir, "spool", "atjobs", ".SEQ"), []byte("0\n"), 0o600))
	must(t, chown(filepath.Join(dir, "spool", "atjobs", ".SEQ"), "daemon", "daemon"))
	c := r.call(t, worker, "/bin/bash", "-c", `set -e
		/usr/sbin/atd -f &
		until [ -s /run/atd.pid ]; do sleep 0.05; done
		setpriv --reuid `+worker+` --regid `+worker+` --init-groups -- at now <<<"cat '$1/output'"
		wait`, "bash", dir)
	c.then("mount --bind " + dir + "/spool /var/spool/cron")
	c.ownRun()
	serveUntil(t, r, c, expectation{to: []string{root}, subject: "Output from your job        1", body: output})
}

// then adds a shell command that root runs before the program.
func (c *call) then(command string) {
	c.before = strings.TrimPrefix(c.before+"; "+command, "; ")
}

// ownRun gives a daemon a /run without the others' process numbers; the agent's
// socket stays.
func (c *call) ownRun() {
	c.before = "mount -t tmpfs -o mode=755 tmpfs /run" + strings.TrimSuffix("; "+c.before, "; ")
}
