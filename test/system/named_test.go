//go:build system

package system

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/config"
)

// strangers are users who may not name a configuration: www-data, a person or a pool of FPM, nobody, and one
// of systemd's dynamic users.
var strangers = []int{33, 1001, 65534, 61200}

// namingModes are the calls that take -C, with the name that the program is called by.
var namingModes = [][]string{
	{"sendmail", "-t", "-i"}, {"sendmail", "-bm", "-i", "you@example.org"}, {"sendmail", "-bs"}, {"sendmail", "-bd"},
	{"sendmail", "-bD"},
	{"sendmail", "-bi"}, {"sendmail", "-I"}, {"sendmail", "-bp"}, {"sendmail", "-bv", "you@example.org"},
	{"sendmail", "-q"}, {"sendmail", "-q1m"},
	{"sendmail", "-qISOME"}, {"sendmail", "-q1m", "-bd"}, {"sendmail", "-oem", "-t"}, {"mailq"}, {"newaliases"},
	{"o365-sendmail", "-bd"}, {"other", "-t"},
}

// pathKeys are texts of configurations, each of which has one key name a path below dir; and one
// that does not parse whole.
func pathKeys(dir string) map[string]string {
	const account = "tenant = \"11111111-2222-3333-4444-555555555555\"\n" +
		"client_id = \"11111111-2222-3333-4444-666666666666\"\n" +
		"mailbox = \"noreply@contoso.test\"\nsmtp.host = \"127.0.0.1\"\nsmtp.port = 1\n" +
		"token.url = \"http://127.0.0.1:1/token\"\n"
	const secret = "client_secret = \"s3cr3t~value\"\n"
	pair := fmt.Sprintf("credential.certificate_file = %q\ncredential.key_file = %q\n", dir+"/cert", dir+"/key")
	fleet := secret + fmt.Sprintf("fleet.tls_cert_file = %q\nfleet.tls_key_file = %q\n", dir+"/cert", dir+"/key")
	whole := map[string]string{
		"fleet.tls_cert_file":           fleet,
		"fleet.tls_key_file":            fleet,
		"client_secret_file":            "",
		"credential.certificate_file":   pair,
		"credential.key_file":           pair,
		"credential.pfx_file":           "",
		"credential.passphrase_file":    fmt.Sprintf("credential.pfx_file = %q\n", dir+"/pfx"),
		"credential.token_file":         "",
		"credential.refresh_token_file": "credential.type = \"device-code\"\n",
	}
	texts := map[string]string{
		"nothing parses": "\"<?php marker ?>\"=1\n[log]\nto=\"" + dir + "/shell.php\"\n[spool]\ndir=\"" + dir +
			"/spool\"\n[agent]\nsocket=\"" +
			dir + "/socket\"\nmetrics_file=\"" + dir + "/metrics.php\"\n",
		"half parses": account + secret + "log.to = \"" + dir + "/shell.php\"\nagent.metrics_file = \"" + dir +
			"/metrics.php\"\nspool.dir = \"" + dir + "/spool\"\nmore = = 1\n",
	}
	for _, k := range config.Keys() {
		if k.Kind != config.KindPath && k.Kind != config.KindSecretFile && k.Kind != config.KindLog {
			continue
		}
		line := fmt.Sprintf("%s = %q\n", k.Name, dir+"/evil/"+k.Name)
		text, special := whole[k.Name]
		switch {
		case strings.Contains(text, k.Name+" ="):
			line = ""
		case !special:
			text = secret
		}
		texts[k.Name] = account + text + line
	}
	return texts
}

// as makes a process of a user who is in no other group; the first of args is the name that the program sees.
func as(uid int, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Args = args
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	return cmd
}

// ended runs a command to its end.
func ended(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if cmd.Stdin == nil {
		cmd.Stdin = strings.NewReader("To: you@example.org\nSubject: x\n\nhello\n")
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() }) // an agent would stay
	defer late.Stop()
	_ = cmd.Wait()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	calm(t, r)
	return r
}

// names lists what is below a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return all
}

// notTaken fails unless a call was refused for the file that it named, in one line that says what to do.
func notTaken(t *testing.T, what string, r result) {
	t.Helper()
	if r.code != 77 || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, "~/.config/o365-sendmail.toml") ||
		!strings.Contains(r.stderr, "$O365_SENDMAIL_CONFIG") || strings.Contains(r.stderr, "<?php") {
		t.Errorf("%s: %v, want exit 77 and one line that names the ways that are left", what, r)
	}
}

// buildFront returns the quick program that a package installs as /usr/sbin/sendmail.
func buildFront(t *testing.T) string {
	t.Helper()
	front, err := builtFront()
	must(t, err)
	return front
}

var builtFront = sync.OnceValues(func() (string, error) {
	front := filepath.Join(lab.work, "program", "front")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.program="+lab.program, "-o", front,
		"./cmd/front")
	cmd.Dir, cmd.Env = lab.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return front, nil
})

// TestNamedConfigOpensNothing: whatever a stranger's file says, in whatever mode it is named, nothing of it acts.
func TestNamedConfigOpensNothing(t *testing.T) {
	t.Parallel()
	front := buildFront(t)
	for _, uid := range strangers {
		t.Run(fmt.Sprint("uid ", uid), func(t *testing.T) {
			t.Parallel()
			web := filepath.Join(lab.dir(t), "web")
			must(t, os.Mkdir(web, 0o755))
			must(t, os.Mkdir(web+"/evil", 0o755))
			for name, text := range pathKeys(web) {
				file := filepath.Join(web, strings.ReplaceAll(name, " ", "-")+".png")
				mode := fs.FileMode(0o600) // what PHP's upload makes
				if len(name)%2 == 0 {
					mode = 0o644
				}
				must(t, os.WriteFile(file, []byte(text), mode))
			}
			for _, path := range names(t, web) {
				must(t, os.Chown(path, uid, uid))
			}
			before := names(t, web)
			for name, text := range pathKeys(web) {
				file := filepath.Join(web, strings.ReplaceAll(name, " ", "-")+".png")
				// The verbs keep -C, and show that these files are as good as they are meant to be.
				if strings.HasPrefix(text, "tenant") && !strings.HasSuffix(name, "parses") {
					must(t, os.Chmod(file, 0o600))
					if r := ended(t, as(uid, lab.program, "o365-sendmail", "config", "show", "-C",
						file)); r.code != 0 {
						t.Errorf("%s: %v", name, r)
					}
				}
				for i, mode := range namingModes {
					program := []string{lab.program, front}[i%2]
					r := ended(t, as(uid, program, slices.Insert(slices.Clone(mode), 1, "-C", file)...))
					notTaken(t, fmt.Sprintf("%q with %s", mode, name), r)
				}
			}
			if after := names(t, web); !slices.Equal(before, after) {
				t.Errorf("files appeared:\n%q\n%q", before, after)
			}
		})
	}
}

// TestNamedConfig: who may name which file. A file of root's that nobody else can write is anybody's to name.
func TestNamedConfig(t *testing.T) {
	t.Parallel()
	c := newCall(t, lab.postfix, "www-data", "/usr/sbin/sendmail", "-C", "/etc/o365-sendmail.toml", "-t", "-i")
	good, marker := c.config, newMarker("named")
	c.stdin = strings.NewReader(simple(marker))
	succeed(t, c)
	one(t, lab.postfix, marker)

	const www = 33
	dir := "/etc/" + newMarker("named") // the view's own: /tmp is everybody's
	file := filepath.Join(dir, "c.toml")
	cases := map[string]func(){
		"a file of the caller's own":      func() { must(t, os.Chown(file, www, www)) },
		"a file of another user's":        func() { must(t, os.Chown(file, 1001, www)) },
		"a file that a group writes":      func() { must(t, os.Chmod(file, 0o660)) },
		"a directory of the caller's own": func() { must(t, os.Chown(dir, www, www)) },
		"a directory that the caller's group has": func() {
			must(t, os.Chown(dir, 0, www))
			must(t,
				os.Chmod(dir, 0o775))
		},
		"a directory that all write":         func() { must(t, os.Chmod(dir, 0o777)) },
		"a sticky directory":                 func() { must(t, os.Chmod(dir, 0o777|os.ModeSticky)) },
		"a directory that can't be searched": func() { must(t, os.Chmod(dir, 0o700)) },
		"a file that can't be read":          func() { must(t, os.Chmod(file, 0o600)) },
		"a FIFO": func() {
			must(t, os.Remove(file))
			must(t,
				syscall.Mkfifo(file, 0o644))
		},
		"a directory": func() { must(t, os.Remove(file)); must(t, os.Mkdir(file, 0o755)) },
		"a link to the caller's file": func() {
			own := filepath.Join(lab.userDir(t, "www-data"), "c.toml")
			must(t, os.WriteFile(own, []byte(good), 0o600))
			must(t, os.Chown(own, www, www))
			must(t, os.Remove(file))
			must(t, os.Symlink(own, file))
		},
		"nothing": func() { must(t, os.Remove(file)) },
	}
	call := func(uid int, path string) result {
		return ended(t, as(uid, lab.program, "sendmail", "-bv", "-C", path, "you@example.org"))
	}
	for name, spoil := range cases {
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.WriteFile(file, []byte(good), 0o640))
		must(t, os.Chown(file, 0, www))
		if r := call(www, file); r.code != 0 {
			t.Errorf("before %s: %v", name, r)
		}
		spoil()
		notTaken(t, name, call(www, file))
		must(t, os.RemoveAll(dir))
	}

	// A hard link in a directory of the caller's, and a path by way of a descriptor.
	own := lab.userDir(t, "www-data")
	must(t, os.WriteFile(filepath.Join(lab.work, "root.toml"), []byte(good), 0o640))
	must(t, os.Chown(filepath.Join(lab.work, "root.toml"), 0, www))
	must(t, os.Link(filepath.Join(lab.work, "root.toml"), own+"/hard.toml"))
	notTaken(t, "a hard link", call(www, own+"/hard.toml"))
	cmd := as(www, lab.program, "sendmail", "-t", "-i", "-C", "/proc/self/fd/0")
	cmd.Stdin = strings.NewReader(good)
	notTaken(t, "a pipe", ended(t, cmd))
	must(t, os.WriteFile(own+"/own.toml", []byte(good), 0o600))
	must(t, os.Chown(own+"/own.toml", www, www))
	in, err := os.Open(own + "/own.toml")
	must(t, err)
	defer in.Close()
	cmd = as(www, lab.program, "sendmail", "-t", "-i", "-C", "/proc/self/fd/0")
	cmd.Stdin = in
	notTaken(t, "a descriptor", ended(t, cmd))

	// The ways that are left.
	cmd = as(www, lab.program, "sendmail", "-bv", "you@example.org")
	cmd.Env = append(cmd.Env, "O365_SENDMAIL_CONFIG="+own+"/own.toml")
	if r := ended(t, cmd); r.code != 0 || !strings.Contains(r.stdout, "you@example.org ->") {
		t.Errorf("$O365_SENDMAIL_CONFIG: %v", r)
	}
}

// TestNamedConfigOfPHP: an upload, and real mail() with a fifth parameter that names it.
func TestNamedConfigOfPHP(t *testing.T) {
	t.Parallel()
	web := lab.userDir(t, "www-data")
	avatar := filepath.Join(web, "avatar.png")
	must(t, os.WriteFile(avatar, []byte(pathKeys(web)["nothing parses"]), 0o644))
	must(t, chown(avatar, "www-data", "www-data"))
	before := names(t, web)
	for _, mode := range []string{"", "-bs ", "-bd ", "-bD ", "-q1m ", "-q ", "-bi ", "-bp ", "-bv "} {
		c := newCall(t, lab.postfix, "www-data", "/usr/bin/php", "-r",
			`exit(mail("x@example.org", "s", "b", "", $argv[1]) ? 0 : 9);`, "--", mode+"-C"+avatar)
		r := c.run(t)
		calm(t, r)
		if r.code != 9 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "$O365_SENDMAIL_CONFIG") {
			t.Errorf("%s: %v, want false of mail() and one line", mode, r)
		}
	}
	if after := names(t, web); !slices.Equal(before, after) {
		t.Errorf("files appeared: %q", after)
	}
}

// TestNoAgentForStrangers: without a file of theirs, too.
func TestNoAgentForStrangers(t *testing.T) {
	t.Parallel()
	for _, uid := range strangers {
		for _, args := range [][]string{{"-bd"}, {"-bD"}, {"-q1m"}, {"-q30s", "-t"}, {"-bd", "-q1h"}} {
			r := ended(t, as(uid, lab.program, append([]string{"sendmail"}, args...)...))
			if r.code != 77 || strings.Count(r.stderr, "\n") != 1 ||
				!strings.Contains(r.stderr, "o365-sendmail serve") {
				t.Errorf("uid %d, %q: %v", uid, args, r)
			}
		}
	}
}
