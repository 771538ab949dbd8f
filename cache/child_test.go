package cache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// Tests that need real processes start this test binary again with a role.
const childEnv = "CACHE_TEST_CHILD"

func TestMain(m *testing.M) {
	if s := os.Getenv(childEnv); s != "" {
		os.Exit(childMain(s))
	}
	os.Exit(m.Run())
}

// child says what a child process does.
type child struct {
	Role     string // token, thrice
	Dir, URL string
	LockWait time.Duration
	Umask    int
	Gate     bool   // wait for the end of standard input before the start
	KillAt   string // before-request, after-reply, in-write, before-rename, after-rename
	Timeout  time.Duration
}

// outcome is what a child prints: one line.
type outcome struct {
	Token         string
	Err           string
	Configuration bool
	Remembered    bool
	Took          time.Duration
	Switches      int64 // how often its threads gave up the processor meanwhile
	Warnings      []string
}

func childMain(config string) int {
	var ch child
	if err := json.Unmarshal([]byte(config), &ch); err != nil {
		return 2
	}
	syscall.Umask(ch.Umask)
	if ch.Gate {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	if ch.Timeout == 0 {
		ch.Timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), ch.Timeout)
	defer cancel()
	var out outcome
	c := New(Options{Dir: ch.Dir, LockWait: ch.LockWait, Warn: func(err error) {
		out.Warnings = append(out.Warnings, err.Error())
	}})
	c.dir.Ops = killingOps(ch.KillAt)
	begin, before := time.Now(), switches()
	err := ch.run(ctx, c, &out)
	out.Took, out.Switches = time.Since(begin), switches()-before
	if err != nil {
		out.Err = err.Error()
		out.Configuration = isConfiguration(err)
		var r *RememberedError
		out.Remembered = errors.As(err, &r)
	}
	line, _ := json.Marshal(out)
	fmt.Printf("%s\n", line)
	c.Wait(ctx)
	return 0
}

func (ch child) run(ctx context.Context, c *Cache, out *outcome) error {
	switch ch.Role {
	case "token":
		t, err := c.Token(ctx, testKey, ch.fetch)
		out.Token = t.Access.Reveal()
		return err
	case "thrice":
		for range 3 {
			t, err := c.Token(ctx, testKey, ch.fetch)
			if err != nil {
				return err
			}
			out.Token = t.Access.Reveal()
		}
		return nil
	}
	return fmt.Errorf("unknown role %q", ch.Role)
}

func (ch child) fetch(ctx context.Context) (xoauth.Token, error) {
	killSelf(ch.KillAt == "before-request")
	t, err := fetchFrom(ctx, ch.URL)
	killSelf(ch.KillAt == "after-reply")
	return t, err
}

func switches() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Nvcsw
}

func killSelf(yes bool) {
	if yes {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// killingOps are the real operations, but the process dies at one of them.
func killingOps(at string) *durable.Ops {
	o := *durable.System
	switch at {
	case "in-write":
		o.Write = func(f *os.File, p []byte) (int, error) {
			_, _ = f.Write(p[:len(p)/2])
			killSelf(true)
			return 0, nil
		}
	case "before-rename", "after-rename":
		o.Rename = func(from, to string) error {
			token := strings.HasSuffix(to, tokenSuffix) // else the directory
			killSelf(token && at == "before-rename")
			err := os.Rename(from, to)
			killSelf(token)
			return err
		}
	}
	return &o
}

// reply is the test endpoint's JSON.
type reply struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	RefreshIn   int    `json:"refresh_in"`
}

// fetchFrom asks the test endpoint for a token, telling it who asks.
func fetchFrom(ctx context.Context, url string) (xoauth.Token, error) {
	sent := time.Now()
	body, err := post(ctx, url)
	if err != nil {
		return xoauth.Token{}, err
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return xoauth.Token{}, err
	}
	t := xoauth.Token{
		Access:   xoauth.NewSecret(r.AccessToken),
		Obtained: sent,
		Expiry:   sent.Add(time.Duration(r.ExpiresIn) * time.Second),
	}
	if r.RefreshIn > 0 {
		t.RefreshAt = sent.Add(time.Duration(r.RefreshIn) * time.Second)
	}
	return t, nil
}

func post(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(strconv.Itoa(os.Getpid())))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return nil, &endpointError{status: res.StatusCode, after: time.Duration(after) * time.Second}
	}
	return body, err
}

// endpointError is a refusal of the test endpoint: 400 is definite, all else is not.
type endpointError struct {
	status int
	after  time.Duration
}

func (e *endpointError) Error() string                     { return fmt.Sprintf("the endpoint said %d", e.status) }
func (e *endpointError) Configuration() bool               { return e.status == http.StatusBadRequest }
func (e *endpointError) Advice() string                    { return "make a new secret" }
func (e *endpointError) RetryAfterDuration() time.Duration { return e.after }

// process is a running child.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// spawn starts a child. It is killed at the end of the test, if it still runs.
func spawn(t testing.TB, ch child, gate *os.File, as *syscall.Credential) *process {
	t.Helper()
	config, err := json.Marshal(ch)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(config), "GOMAXPROCS=2")
	cmd.Stdin = gate
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &process{cmd: cmd, out: bufio.NewReader(out)}
}

// ready waits until the child stands at the gate.
func (p *process) ready(t testing.TB) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
}

// outcome reads what the child has to say; ok is false when it died before.
func (p *process) outcome() (o outcome, ok bool) {
	line, err := p.out.ReadBytes('\n')
	return o, err == nil && json.Unmarshal(bytes.TrimSpace(line), &o) == nil
}

// crowd starts n children that begin at the same moment, and returns them once all stand at the
// gate. open lets them go.
func crowd(t testing.TB, n int, ch child) (all []*process, open func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	ch.Gate = true
	for range n {
		all = append(all, spawn(t, ch, r, nil))
	}
	_ = r.Close()
	for _, p := range all {
		p.ready(t)
	}
	return all, func() { _ = w.Close() }
}

var testKey = Key{
	Authority: "https://login.example", Tenant: "contoso.onmicrosoft.com",
	ClientID: "00000000-0000-0000-0000-000000000001", Scope: "https://outlook.example/.default", Credential: "0123abcd",
}

// modeOf returns the permission bits of path.
func modeOf(t testing.TB, path string) fs.FileMode {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}
