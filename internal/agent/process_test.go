package agent

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/sysexits"
)

// process is an agent in a process of its own.
type process struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// run starts one. The shell is there because only the child knows its process id.
func (s *site) run(files []*os.File, env ...string) *process {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{Cmd: exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0"`, exe)}
	p.Env = append([]string{childConfig + "=" + s.config, "SSL_CERT_FILE=/nonexistent", "HTTPS_PROXY=http://127.0.0.1:1"}, env...)
	p.ExtraFiles, p.Stderr = files, &p.stderr
	if err := p.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

// answers waits until the socket answers.
func (s *site) answers() {
	s.t.Helper()
	s.until("the agent answers", func() bool {
		c, err := route.Dial(context.Background(), route.AgentOptions{Path: s.socket, HostName: "web1"})
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// TestKilled: when the agent is killed before it acknowledged, the client fails and
// nothing is kept.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[delivery]\nwait = \"1m\"\n")
	s.stall("dot")
	p := s.run(nil)
	s.answers()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Send(context.Background(), to("a@example.org"), envelope.Options{}, message{"A: 1\r\n\r\nx\r\n"})
		failed <- err
	}()
	s.until("the message is under way", func() bool { return strings.Contains(s.Transcript(), "MAIL FROM") })
	_ = p.Process.Kill()
	if err := <-failed; sysexits.Code(err, 0) != sysexits.TempFail {
		t.Errorf("the client got %v", err)
	}
	if s.queued() != 0 {
		t.Error("a message is in the queue")
	}

	// Half a message is no message either.
	p = s.run(nil)
	s.until("the new agent answers", func() bool { c, err := s.dial(); return err == nil && c != nil })
	raw, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write([]byte("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nSubject: half\r\n\r\n" + strings.Repeat("text\r\n", 50000))); err != nil {
		t.Fatal(err)
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	if s.queued() != 0 {
		t.Error("half a message is in the queue")
	}
}

// notices is the service manager's end of sd_notify.
func (s *site) notices() (path string, next func() string) {
	s.t.Helper()
	path = filepath.Join(s.dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return path, func() string {
		buf := make([]byte, 4096)
		_ = l.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := l.Read(buf)
		if err != nil {
			s.t.Fatalf("no notice: %v\n%s", err, s.log())
		}
		return string(buf[:n])
	}
}

// await reads notices until one has the text.
func await(t *testing.T, next func() string, text string) {
	t.Helper()
	for range 100 {
		if strings.Contains(next(), text) {
			return
		}
	}
	t.Fatalf("no notice %q came", text)
}

// TestServiceManager: sockets that are handed over are served, and the manager hears what
// it waits for.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	given := filepath.Join(s.dir, "given.sock")
	unix, err := net.Listen("unix", given)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unixFile, err := unix.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	tcpFile, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	notify, next := s.notices()
	p := s.run([]*os.File{unixFile, tcpFile}, "LISTEN_FDS=2", "LISTEN_FDNAMES=submit:smtp", "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=300000")
	await(t, next, "READY=1")
	await(t, next, "WATCHDOG=1")
	if _, err := os.Stat(s.socket); err == nil {
		t.Error("the agent made a socket of its own beside the one that it got")
	}
	s.socket = given
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if got := dialogue(t, "tcp", tcp.Addr().String(), "EHLO x\nMAIL FROM:<x@y.org>\nRCPT TO:<root>\nDATA\nA: 2\n\n.\nQUIT\n"); got != "220 250 250 250 354 250 221" {
		t.Errorf("by TCP: %s\n%s", got, s.log())
	}
	s.arrived(2)
	_ = p.Process.Signal(syscall.SIGHUP)
	await(t, next, "RELOADING=1")
	await(t, next, "READY=1")
	_ = p.Process.Signal(syscall.SIGTERM)
	await(t, next, "STOPPING=1")
	if err := p.Wait(); err != nil {
		t.Errorf("the agent ended with %v: %s", err, p.stderr.String())
	}
	if _, err := os.Stat(given); err != nil {
		t.Error("the agent removed the manager's socket")
	}
}

// dialogue sends input and returns the codes of the replies.
func dialogue(t testing.TB, network, addr, input string) string {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte(input)); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for sc := bufio.NewScanner(c); sc.Scan(); {
		if line := sc.Text(); len(line) < 4 || line[3] != '-' {
			codes = append(codes, line[:min(3, len(line))])
		}
	}
	return strings.Join(codes, " ")
}

// TestHardened: the process leaves no core, and nobody but root looks into it.
func TestHardened(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	p := s.run(nil)
	s.answers()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.Process.Pid))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0`).Match(limits) {
		t.Errorf("%v in\n%s", err, limits)
	}
	fi, err := os.Stat(fmt.Sprintf("/proc/%d/mem", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); st.Uid != 0 {
		t.Errorf("its memory belongs to uid %d", st.Uid)
	}
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Errorf("the environment got in the way: %v", err)
	}
}
