package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// What a caller can do to the program by size and by the process that it starts. What fits
// into a file is in testdata/cases/attacks.

// asProgram makes the test binary the program itself.
const asProgram = "O365_SENDMAIL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	os.Exit(Main(context.Background(), Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, UID: os.Getuid(), Version: "test", Socket: "/nonexistent/submit.sock",
	}))
}

// runReader is run with an input that is not in memory. A run that does not end fails.
func (s *site) runReader(t *testing.T, in io.Reader, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- Main(context.Background(), Env{
			Args: append([]string{"sendmail"}, args...), Stdin: in, Stdout: &out, Stderr: &errs,
			Getenv: func(name string) string {
				if name == "O365_SENDMAIL_CONFIG" {
					return s.config
				}
				return ""
			},
			Now: time.Now, UID: noUser, Version: "test",
		})
	}()
	select {
	case code := <-done:
		return result{code, out.String(), errs.String()}
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
		return result{}
	}
}

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
	read int64
}

func (r *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	r.read += int64(len(p))
	return len(p), nil
}

func TestEndlessInput(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"zeros": "\x00", "letters": "a", "lines": "a\n", "empty lines": "\n",
		"fields": "A: b\n", "fold": "A: b\n c\n d\n e\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.writeConfig(t, s.ConfigTOML(s.dir)+"[delivery]\nmax_size = \"1MiB\"\n")
			in := &endless{text: text}
			s.runReader(t, in, "-i", "someone@example.org").want(t, sysexits.DataErr, "larger than")
			if in.read > 16<<20 {
				t.Errorf("%d bytes were read", in.read)
			}
			if len(s.Messages()) > 0 {
				t.Error("a part of it was sent")
			}
		})
	}
}

func TestBrokenInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	in := io.MultiReader(strings.NewReader("Subject: x\n\nthe first half\n"), failing{})
	s.runReader(t, in, "-i", "someone@example.org").want(t, sysexits.NoInput, "can't be read")
	if len(s.Messages()) > 0 {
		t.Error("half a message was sent")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("input/output error") }

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	list := func(n int) []string {
		args := []string{"-i"}
		for i := range n {
			args = append(args, fmt.Sprintf("r%d@example.org", i), "same@example.org")
		}
		return args
	}
	t.Run("over the limit", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.writeConfig(t, s.ConfigTOML(s.dir)+"[delivery]\nmax_recipients_per_call = 1000\n")
		s.run("Subject: x\n\nx\n", list(1000)...).want(t, sysexits.DataErr, "max_recipients_per_call")
		if len(s.Messages()) > 0 {
			t.Error("a part was sent")
		}
	})
	t.Run("within", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, func(o *emulator.Options) { o.State = func(st *emulator.State) { st.Limits.Recipients = 1000 } })
		s.writeConfig(t, s.ConfigTOML(s.dir)+"[delivery]\nmax_recipients = 1000\n")
		s.run("Subject: x\n\nx\n", list(999)...).want(t, 0, "")
		got := map[string]int{}
		for _, m := range s.Messages() {
			for _, to := range m.To {
				got[to]++
			}
		}
		if len(got) != 1000 || got["same@example.org"] != 1 {
			t.Errorf("%d recipients got it, one of them %d times", len(got), got["same@example.org"])
		}
	})
}

func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	unlimited := func(o *emulator.Options) {
		o.KeepBodies = true
		o.State = func(st *emulator.State) { st.Limits.HeaderSize = 0 }
	}
	for name, c := range map[string]struct {
		header string
		code   int
		line   string
	}{
		"one line of 1 MB":    {"X-Long: " + strings.Repeat("long ", 200_000) + "\n", 0, ""},
		"one word of 1 MB":    {"X-Long: " + strings.Repeat("w", 1_000_000) + "\n", 0, ""},
		"name of 1 MB":        {strings.Repeat("n", 1_000_000) + ": x\n", 0, ""},
		"100,000 fields":      {strings.Repeat("X-Many: y\n", 100_000), 0, ""},
		"100,000 folds":       {"X-Fold: a\n" + strings.Repeat(" b\n", 100_000), 0, ""},
		"90,000 Received":     {strings.Repeat("Received: from a by b\n", 90_000), sysexits.DataErr, "loops"},
		"100,000 addresses":   {"To: " + strings.Repeat("a@example.org, ", 100_000) + "\n", 0, ""},
		"100,000 parentheses": {"X-Comment: x\nTo: " + strings.Repeat("(", 100_000) + "\n", 0, ""},
		"over 2 MiB": {strings.Repeat("X-Many: "+strings.Repeat("y", 1000)+"\n", 2080), sysexits.DataErr,
			"the header is larger than 2097152"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, unlimited)
			r := s.runReader(t, strings.NewReader(c.header+"Subject: x\n\nhello\n"), "-i", "someone@example.org")
			r.want(t, c.code, c.line)
			n := len(s.Messages())
			if want := 1; c.code == 0 && n != want || c.code != 0 && n != 0 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

// TestLargeHeaderRefused: what Exchange Online does not take is told, and is not tried again.
func TestLargeHeaderRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(strings.Repeat("X-Many: y\n", 100_000)+"\nhello\n", "-i", "someone@example.org").want(t, sysexits.DataErr,
		"5.3.4")
}

// TestBodyWithoutLineEnd: 50 MB in one line arrive, byte for byte, in an encoding.
func TestBodyWithoutLineEnd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: 50 MB are not sent")
	}
	const size = 50_000_000
	s := newSite(t, func(o *emulator.Options) { o.Dir = t.TempDir() })
	s.Update(func(st *emulator.State) {
		for _, tenant := range st.Tenants {
			for _, box := range tenant.Mailboxes {
				box.MaxSendSize = 150 << 20
			}
		}
	})
	in := io.MultiReader(strings.NewReader("Subject: x\n\n"), io.LimitReader(&endless{text: "0123456789abcdef"}, size))
	s.runReader(t, in, "-i", "someone@example.org").want(t, 0, "")
	msgs := s.Messages()
	if len(msgs) != 1 {
		t.Fatalf("%d messages arrived", len(msgs))
	}
	body, err := msgs[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	want, got := sha256.New(), sha256.New()
	_, _ = io.Copy(want, io.LimitReader(&endless{text: "0123456789abcdef"}, size))
	decodeQuoted(t, got, body)
	if hex.EncodeToString(got.Sum(nil)) != hex.EncodeToString(want.Sum(nil)) {
		t.Error("the body has changed")
	}
}

// decodeQuoted writes the body of a message that is quoted-printable text without its last line
// end. It knows soft line breaks only, which is all that digits and letters need.
func decodeQuoted(t *testing.T, w io.Writer, r io.Reader) {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	if !bytes.Contains(head, []byte("quoted-printable")) {
		t.Fatalf("the header names no encoding:\n%s", head)
	}
	body = bytes.TrimSuffix(body, []byte("\r\n"))
	for line := range bytes.SplitSeq(body, []byte("=\r\n")) {
		if len(line) > 75 || bytes.ContainsAny(line, "=\r\n") {
			t.Fatalf("line of %d bytes", len(line))
		}
		_, _ = w.Write(line)
	}
}

func TestNoName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.call("To: someone@example.org\n\nx\n", noUser, []string{"", "-t", "-i"}).want(t, 0, "")
	s.call("", noUser, nil).want(t, sysexits.Usage, "no recipients")
	s.call("x\n", noUser, []string{"/", "someone@example.org"}).want(t, 0, "")
}

// TestHostileProcess starts the program in states that no caller should leave it in.
func TestHostileProcess(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to set the states up")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		script string // $P is the program
		codes  []int
		sent   bool
	}{
		"umask 000": {`umask 000; exec "$P" -t -i`, []int{0}, true},
		"umask 777": {`umask 777; exec "$P" -t -i`, []int{0}, true},
		// Go opens /dev/null in its place, so that the message is empty and names nobody.
		"no stdin":          {`exec "$P" -t -i <&-`, []int{sysexits.Usage}, false},
		"no stdout, stderr": {`exec "$P" -t -i >&- 2>&-`, []int{0}, true},
		"no stdio at all":   {`exec "$P" -t -i <&- >&- 2>&-`, []int{sysexits.Usage}, false},
		"stdin a directory": {`exec "$P" -t -i </`, []int{sysexits.NoInput}, false},
		"deleted cwd":       {`mkdir "$D/gone"; cd "$D/gone"; rmdir "$D/gone"; exec "$P" -t -i`, []int{0}, true},
		"no HOME":           {`unset HOME; exec "$P" -t -i`, []int{0}, true},
		"HOME a file":       {`HOME=/dev/null; export HOME; exec "$P" -t -i`, []int{0}, true},
		"no files":          {`ulimit -f 0; exec "$P" -t -i`, []int{0}, true},
		"12 descriptors": {`ulimit -n 12; exec "$P" -t -i`,
			[]int{0, sysexits.OSErr, sysexits.TempFail, sysexits.Config}, false},
		"6 descriptors": {`ulimit -n 6; exec "$P" -t -i`,
			[]int{0, sysexits.OSErr, sysexits.TempFail, sysexits.Config, sysexits.Unavailable}, false},
		"7 descriptors": {`ulimit -n 7; exec "$P" -t -i`,
			[]int{0, sysexits.OSErr, sysexits.TempFail, sysexits.Config, sysexits.Unavailable}, false},
		"8 descriptors": {`ulimit -n 8; exec "$P" -t -i`,
			[]int{0, sysexits.OSErr, sysexits.TempFail, sysexits.Config, sysexits.Unavailable}, false},
		"4 descriptors": {`ulimit -n 4; exec "$P" -t -i`, []int{sysexits.TempFail}, false},
		"long argument": {`exec "$P" -i "$(printf '%0100000d' 7)@example.org"`, []int{sysexits.DataErr}, false},
		"closed pipe":   {`"$P" -v -t -i 2>&1 | head -c 1 >/dev/null; exit 0`, []int{0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, sh, "-c", c.script)
			cmd.Stdin = strings.NewReader("To: someone@example.org\nSubject: x\n\nhello\n")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			cmd.Env = []string{asProgram + "=1", "P=" + exe, "D=" + s.dir, "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir,
				"O365_SENDMAIL_CONFIG=" + s.config}
			_ = cmd.Run() // the code is looked at
			code := cmd.ProcessState.ExitCode()
			ok := false
			for _, want := range c.codes {
				ok = ok || code == want
			}
			if text := said.String(); !ok || strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") ||
				ctx.Err() != nil {
				t.Errorf("exit code %d, want one of %v\n%s", code, c.codes, text)
			}
			if n := len(s.Messages()); c.sent && n != 1 || code == 0 && name != "closed pipe" && n != 1 {
				t.Errorf("%d messages arrived", n)
			}
			s.checkModes(t)
		})
	}
}

// checkModes: whatever the umask, nobody else can read what the program keeps.
func (s *site) checkModes(t *testing.T) {
	t.Helper()
	_ = filepath.WalkDir(filepath.Join(s.dir, "cache"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // there is no cache
		}
		if fi, err := d.Info(); err == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
		return nil
	})
}
