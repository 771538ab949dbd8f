//go:build system

package system

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// simple is a small message with the marker in it.
func simple(marker string) string {
	return "From: app@web1.example\nTo: you@example.org\nSubject: " + marker + "\n\nhello\n"
}

// shell makes a call of the program by a shell command, in which $S is the
// program with -t and -i.
func shell(t *testing.T, user, message, command string) *call {
	t.Helper()
	c := newCall(t, lab.postfix, user, "/bin/bash", "-c", "S='/usr/sbin/sendmail -t -i'; "+command)
	c.stdin = strings.NewReader(message)
	return c
}

// calm fails if the program's end was not its own: a trace, a panic, a signal.
func calm(t *testing.T, r result) {
	t.Helper()
	for _, word := range []string{"panic", "goroutine ", "runtime error", "SIGSEGV", ".go:"} {
		if strings.Contains(r.stderr, word) || strings.Contains(r.stdout, word) {
			t.Errorf("%v: it shows %q", r, word)
		}
	}
	if r.code < 0 || r.code > 127 {
		t.Errorf("%v: it did not end by itself", r)
	}
}

// delivered reports whether the message with the marker came; it looks again
// after a message that was sent later has come the same way.
func delivered(t *testing.T, marker string) bool {
	t.Helper()
	after := newMarker("after")
	if r := sendmail(t, lab.postfix, simple(after), "-t", "-i"); r.code != 0 {
		t.Fatal(r)
	}
	one(t, lab.postfix, after)
	found, _ := lab.sink.find(t.Context(), marker, 0)
	return len(found) > 0
}

// TestOptionsOpenNoFile: options that once let web applications write files
// (CVE-2016-10033, -10045, -10074) touch none.
func TestOptionsOpenNoFile(t *testing.T) {
	t.Parallel()
	marker := newMarker("options")
	dir := lab.userDir(t, "www-data")
	trace := filepath.Join(dir, "trace")
	evil := filepath.Join(dir, "evil")
	c := newCall(t, lab.postfix, "www-data", "/usr/bin/strace", "-f", "-s", "4096", "-e", "trace=%file,%process", "-o",
		trace, "/usr/sbin/sendmail",
		"-X", evil+"-X", "-X"+evil+"-X2", "-OQueueDirectory="+evil+"-O", "-O", "AliasFile="+evil+"-O2",
		"-oQ"+evil+"-oQ", "-oA"+evil+"-oA", "-oX"+evil+"-oX",
		"-D", evil+"-D", "-oS"+evil+"-oS", "-t", "-i")
	c.dir = dir
	c.stdin = strings.NewReader(simple(marker))
	succeed(t, c)
	one(t, lab.postfix, marker)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	lab.collect(t, string(text))
	lines := strings.Split(string(text), "\n")
	if len(lines) < 20 {
		t.Fatalf("the trace has %d lines", len(lines))
	}
	relative := regexp.MustCompile(`^\d+ +(open|openat|openat2|creat|unlink|unlinkat|rename|renameat|renameat2|mkdir|mkdirat|link|linkat|symlink)\((AT_FDCWD, )?"[^/]`)
	for _, line := range lines {
		if strings.Contains(line, "execve(") {
			if !strings.Contains(line, `execve("/usr/sbin/sendmail"`) {
				t.Errorf("it started a program: %s", line)
			}
			continue
		}
		if strings.Contains(line, evil) {
			t.Errorf("an option's file was touched: %s", line)
		}
		if relative.MatchString(line) {
			t.Errorf("a file below the working directory was touched: %s", line)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "trace" {
			t.Errorf("a file appeared: %s", e.Name())
		}
	}
}

// TestForeignConfig: -C opens with the caller's rights, and what it can't read it does not show.
func TestForeignConfig(t *testing.T) {
	t.Parallel()
	marker := newMarker("foreign")
	c := newCall(t, lab.postfix, "www-data", "/usr/sbin/sendmail", "-C", "/etc/shadow", "-t", "-i")
	c.stdin = strings.NewReader(simple(marker))
	r := c.run(t)
	calm(t, r)
	if r.code == 0 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "/etc/shadow") ||
		strings.Contains(r.stderr, "root:") {
		t.Errorf("%v, want one line that says that /etc/shadow can't be read", r)
	}
	if delivered(t, marker) {
		t.Error("the message was delivered")
	}
}

// TestUnknownModes: Exim's -be runs programs, Sendmail's -bt reads rules; here any mode that is not known is a usage error.
func TestUnknownModes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-be", "${run{/usr/bin/id}}"}, {"-bf", "/etc/shadow"}, {"-bt"}, {"-bP"}, {"-bz"}} {
		r := sendmail(t, lab.postfix, "", args...)
		calm(t, r)
		if r.code != 64 || strings.Contains(r.stdout+r.stderr, "uid=") || strings.Contains(r.stdout+r.stderr, "root:") {
			t.Errorf("%q: %v, want exit 64", args, r)
		}
	}
}

// TestHostileEnvironment runs the program in the worst environment that a caller can make; the message has to arrive
// all the same.
func TestHostileEnvironment(t *testing.T) {
	t.Parallel()
	// Through env(1): bash would open the FIFO itself.
	fifo := "mkfifo -m 666 $PWD/fifo; "
	cases := map[string]string{
		"stdout and stderr closed":    `exec $S >&- 2>&-`,
		"umask 000":                   `umask 000; exec $S`,
		"umask 777":                   `umask 777; exec $S`,
		"TZ is a FIFO":                fifo + `exec env TZ=$PWD/fifo $S`,
		"TZ with colon is a FIFO":     fifo + `exec env TZ=:$PWD/fifo $S`,
		"ZONEINFO is a FIFO":          fifo + `ZONEINFO=$PWD/fifo exec $S`,
		"HOME unset":                  `unset HOME; exec $S`,
		"HOME is a FIFO":              fifo + `HOME=$PWD/fifo exec $S`,
		"HOME relative":               `HOME=. exec $S`,
		"environment empty":           `exec env -i $S`,
		"working directory deleted":   `mkdir gone; cd gone; rmdir ../gone; exec $S`,
		"argv[0] empty":               `exec -a '' $S`,
		"argv[0] long":                `exec -a "$(printf 'a%.0s' {1..100000})" $S`,
		"TMPDIR missing":              `TMPDIR=/nonexistent exec $S`,
		"stderr's reader gone":        `set -o pipefail; $S -v 2> >(exec true) | true`,
		"locale odd":                  `LC_ALL=$'\xff' LANGUAGE=../../x exec $S`,
		"SIGPIPE and SIGTERM ignored": `trap '' PIPE TERM; exec $S`,
		"many open files inherited":   `for i in {10..200}; do eval "exec $i</dev/null"; done; exec $S`,
		"GOMAXPROCS odd":              `GOMAXPROCS=x GOGC=1 GOMEMLIMIT=1 exec $S`,
	}
	for name, command := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("hostile")
			c := shell(t, "www-data", simple(marker), command)
			c.dir = filepath.Dir(c.cache)
			started := time.Now()
			r := c.run(t)
			calm(t, r)
			if r.code != 0 {
				t.Fatalf("%v, want exit 0", r)
			}
			if d := time.Since(started); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
			one(t, lab.postfix, marker)
			checkCache(t, c.cache)
		})
	}
}

// checkCache fails if anybody else could read the cache, or a fault of the
// surroundings got into it.
func checkCache(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Errorf("cache: %v", err)
		return
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the cache directory has mode %v, want 0700", info.Mode().Perm())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Errorf("cache: %d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || !e.IsDir() && info.Mode().Perm() != 0o600 {
			t.Errorf("cache file %s has mode %v, want 0600 (%v)", e.Name(), info.Mode().Perm(), err)
		}
	}
}

// TestHostileEnvironmentFails holds the cases in which nothing can be sent: it
// has to be said by the exit code, and nothing may be delivered in part.
func TestHostileEnvironmentFails(t *testing.T) {
	t.Parallel()
	large := func(marker string) string {
		return simple(marker) + strings.Repeat(strings.Repeat("x", 75)+"\n", 60000)
	}
	cases := map[string]struct {
		command string
		message func(string) string
	}{
		"stdin closed":            {`exec $S <&-`, simple},
		"stdin is a directory":    {`exec $S </`, simple},
		"stdin write-only":        {`exec $S 0>/dev/null`, simple},
		"all descriptors closed":  {`exec $S <&- >&- 2>&-`, simple},
		"no room for a large one": {`ulimit -f 1; exec $S`, large},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("fails")
			r := shell(t, "www-data", c.message(marker), c.command).run(t)
			calm(t, r)
			if r.code == 0 {
				t.Errorf("%v, want a failure", r)
			}
			if delivered(t, marker) {
				t.Error("the message was delivered")
			}
		})
	}
}

// TestScarceResources: whatever the limits, exit 0 means delivered and any other code of the program's own means
// not delivered.
func TestScarceResources(t *testing.T) {
	t.Parallel()
	var limits []string
	for _, n := range []int{3, 4, 5, 6, 8, 10, 12, 16, 24} {
		limits = append(limits, fmt.Sprintf("ulimit -n %d", n))
	}
	for _, n := range []int{1, 2, 4, 8, 12} {
		limits = append(limits, fmt.Sprintf("ulimit -u %d", n))
	}
	limits = append(limits, "ulimit -f 0", "ulimit -f 1", "ulimit -v 500000", "ulimit -v 1000000", "ulimit -s 64",
		"ulimit -t 5", "ulimit -l 0")
	for _, limit := range limits {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("scarce")
			// A user that nobody else of the tests is, since -u counts all processes of the user.
			user := "www-data"
			if strings.HasPrefix(limit, "ulimit -u") {
				user = "games"
			}
			r := shell(t, user, simple(marker), limit+"; exec $S").run(t)
			if strings.HasPrefix(limit, "ulimit -f") {
				calm(t, r)
				if r.code != 0 {
					t.Errorf("%v: a cache that can't be written must not stop a small message", r)
				}
			}
			// Go's runtime ends a process that can have no further thread, also one whose message was just taken: its
			// caller sends again, and the message comes twice.
			ended := r.code == 2 && strings.Contains(r.stderr, "failed to create new OS thread")
			if came := delivered(t, marker); came != (r.code == 0) && !(came && ended) {
				t.Errorf("%v, but delivered: %v", r, came)
			}
			t.Logf("exit %d: %.120q", r.code, r.stderr)
		})
	}
}

// TestEndlessInput: a size limit ends the reading; no limit of the header's length lets it grow for ever.
func TestEndlessInput(t *testing.T) {
	t.Parallel()
	cases := map[string]string{"body": "To: you@example.org\n\n", "header": "To: you@example.org\nX: ",
		"fields": "To: you@example.org\n"}
	for name, start := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, lab.postfix, "www-data", "/usr/sbin/sendmail", "-t", "-i")
			c.config += "\n[delivery]\nmax_size = \"1MB\"\n"
			line := strings.Repeat("y", 70) + "\n"
			if name == "fields" {
				line = "X-Field: " + line
			}
			if name == "header" {
				line = strings.TrimSpace(line)
			}
			c.stdin = io.MultiReader(strings.NewReader(start), &endless{text: line})
			started := time.Now()
			r := c.run(t)
			calm(t, r)
			if r.code == 0 || r.code == 75 || !strings.Contains(r.stderr, "1000000") ||
				strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%v, want a permanent failure in one line with the limit, 1000000", r)
			}
			if d := time.Since(started); d > 15*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// An endless reader repeats its text, until somebody stops reading.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], e.text[e.at:])
		n += k
		e.at = (e.at + k) % len(e.text)
	}
	return n, nil
}

// TestInjection: what a caller puts into an address or a name never becomes a
// command, a header field or a second message.
func TestInjection(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"CRLF in -f":           {"-f", "a@example.org>\r\nRCPT TO:<evil@example.org", "you@example.org"},
		"LF in -f":             {"-f", "a@example.org\nX-Evil: 1", "you@example.org"},
		"CRLF in -r":           {"-r", "a@example.org>\r\nDATA\r\n", "you@example.org"},
		"CRLF in -F":           {"-F", "Evil\r\nX-Evil: 1\r\n\r\nbody", "you@example.org"},
		"CRLF in a recipient":  {"you@example.org>\r\nRCPT TO:<evil@example.org"},
		"NOTIFY in recipient":  {"<you@example.org> NOTIFY=NEVER RCPT TO:<evil@example.org>"},
		"quoted angle":         {`"you> ORCPT=rfc822;evil@example.org"@example.org`},
		"CRLF in -V":           {"-V", "x\r\nX-Evil: 1", "you@example.org"},
		"CRLF in -B":           {"-B", "8BITMIME\r\nRCPT TO:<evil@example.org>", "you@example.org"},
		"CRLF in -L":           {"-L", "tag\r\n<13>evil", "you@example.org"},
		"recipient as option":  {"--", "-Xevil@example.org", "you@example.org"},
		"recipient in command": {"you@example.org,|/usr/bin/id", "/tmp/evil", ":include:/etc/passwd"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("inject")
			r := sendmail(t, lab.postfix, "Subject: "+marker+"\n\nhello\n", append([]string{"-i"}, args...)...)
			calm(t, r)
			if strings.ContainsAny(strings.TrimSuffix(r.stderr, "\n"), "\r\x1b\x00") {
				t.Errorf("%v: control characters on stderr", r)
			}
			if !delivered(t, marker) {
				if r.code == 0 {
					t.Errorf("%v, but nothing was delivered", r)
				}
				return
			}
			d := one(t, lab.postfix, marker)
			for _, to := range d.To {
				if to == "evil@example.org" {
					t.Errorf("a recipient was injected: %q", d.To)
				}
			}
			if regexp.MustCompile(`(?im)^X-Evil:`).Match(d.Data) {
				t.Errorf("a field was injected:\n%s", d.Data)
			}
			checkLines(t, d.Data)
			if !strings.HasSuffix(string(d.Data), "\r\n\r\nhello\r\n") {
				t.Errorf("the body changed:\n%q", d.Data)
			}
		})
	}
}

// TestSmuggling: no mixture of line ends becomes a second message.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	bodies := []string{
		"one\n.\ntwo\n", "one\r\n.\r\ntwo\r\n", "one\n.\r\ntwo\n", "one\r\n.\ntwo\n", "one\r.\rtwo\n",
		"one\r\n.\rtwo\n", "one\r.\r\ntwo\n",
		"one\r\n\r.\r\r\ntwo\n", "one\n.\nMAIL FROM:<evil@example.org>\nRCPT TO:<evil@example.org>\nDATA\nSubject: " +
			"evil\n\ntwo\n", ".\n", "..\n.", "one\r",
	}
	for _, port := range []int{lab.postfix.port, lab.postfix.plainPort} {
		for i, body := range bodies {
			t.Run(fmt.Sprintf("%d/%d", port, i), func(t *testing.T) {
				t.Parallel()
				marker := newMarker("smuggle")
				c := newCall(t, lab.postfix, "", "/usr/sbin/sendmail", "-i", "you@example.org")
				c.config = lab.postfix.configFor(port, c.cache)
				c.stdin = strings.NewReader("Subject: " + marker + "\r\n\r\n" + body)
				succeed(t, c)
				d := one(t, lab.postfix, marker)
				checkLines(t, d.Data)
				_, got, _ := strings.Cut(string(d.Data), "\r\n\r\n")
				// CR CR LF is one line end: a doubled conversion makes it.
				want := regexp.MustCompile(`\r*\n|\r`).ReplaceAllString(body, "\r\n")
				if !strings.HasSuffix(want, "\r\n") {
					want += "\r\n"
				}
				if got != want {
					t.Errorf("body %q became %q, want %q", body, got, want)
				}
			})
		}
	}
}

// TestCallersProxyAndRoots: the environment's proxy and certificates are the
// caller's, and must not see the client secret.
func TestCallersProxyAndRoots(t *testing.T) {
	t.Parallel()
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	seen := make(chan string, 10)
	go func() {
		for {
			c, err := proxy.Accept()
			if err != nil {
				return
			}
			seen <- c.RemoteAddr().String()
			c.Close()
		}
	}()
	url := "http://" + proxy.Addr().String()
	marker := newMarker("proxy")
	c := newCall(t, lab.postfix, "www-data", "/usr/sbin/sendmail", "-t", "-i")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		c.env = append(c.env, name+"="+url)
	}
	c.env = append(c.env, "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/nonexistent", "GODEBUG=http2debug=2,http2client=1",
		"GOTRACEBACK=all",
		"RES_OPTIONS=debug", "LOCALDOMAIN=evil.example", "HOSTALIASES=/etc/shadow")
	c.stdin = strings.NewReader(simple(marker))
	succeed(t, c)
	one(t, lab.postfix, marker)
	select {
	case from := <-seen:
		t.Errorf("the caller's proxy got a connection from %s", from)
	default:
	}
}

// TestVerbose: -v shows the dialogue, and no credential in it.
func TestVerbose(t *testing.T) {
	forEachTarget(t, func(t *testing.T, to target) {
		marker := newMarker("verbose")
		r := sendmail(t, to, simple(marker), "-v", "-t", "-i")
		if r.code != 0 {
			t.Fatal(r)
		}
		one(t, to, marker)
		for _, want := range []string{"220 ", "EHLO ", "STARTTLS", "AUTH XOAUTH2", "235 ", "MAIL FROM:<" +
			to.mailbox() + ">", "RCPT TO:<you@example.org>", "250 "} {
			if !strings.Contains(r.stdout+r.stderr, want) {
				t.Errorf("the dialogue lacks %q:\n%s%s", want, r.stdout, r.stderr)
			}
		}
	})
}
