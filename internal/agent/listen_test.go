package agent

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/test/ready"
)

// TestSocketModes is not parallel: the mask is the process's.
func TestSocketModes(t *testing.T) {
	for _, mask := range []int{0, 0o077, 0o777} {
		path := filepath.Join(t.TempDir(), "run", "submit.sock")
		old := syscall.Umask(mask)
		l, err := listenUnix(path)
		syscall.Umask(old)
		if err != nil {
			t.Errorf("mask %#o: %v", mask, err)
			continue
		}
		for p, want := range map[string]fs.FileMode{path: 0o666, filepath.Dir(path): 0o755} {
			if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != want {
				t.Errorf("mask %#o: %s has mode %v, want %v, %v", mask, p, fi.Mode(), want, err)
			}
		}
		l.Close()
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("mask %#o: the socket stays behind", mask)
		}
	}
}

func TestStaleSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(path); err == nil || !strings.Contains(err.Error(), "another agent answers") {
		t.Errorf("a live socket: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = listenUnix(path)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	l.Close()
	for name, make := range map[string]func(string) error{
		"a file":                func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"a directory":           func(p string) error { return os.Mkdir(p, 0o700) },
		"a link to a file":      func(p string) error { return os.Symlink("/etc/passwd", p) },
		"a link to nothing":     func(p string) error { return os.Symlink("/nonexistent/x", p) },
		"a FIFO":                func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a link to a directory": func(p string) error { return os.Symlink("/tmp", p) },
	} {
		p := filepath.Join(dir, name)
		if err := make(p); err != nil {
			t.Fatal(err)
		}
		if l, err := listenUnix(p); err == nil {
			l.Close()
			t.Errorf("%s was replaced by a socket", name)
		}
		if _, err := os.Lstat(p); err != nil {
			t.Errorf("%s was removed", name)
		}
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(ready.Port())
	s := newSite(t, "listen = \"127.0.0.1:"+port+"\"\n")
	s.start()
	if got := dialogue(t, "tcp", "127.0.0.1:"+port, "EHLO x\r\nMAIL FROM:<app@y.org>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nFrom: app@y.org\r\nO365-Sendmail-Options: mode=queue\r\n\r\nx\r\n.\r\nQUIT\r\n"); got != "220 250 250 250 354 250 221" {
		t.Errorf("codes %s", got)
	}
	m := s.arrived(1)[0]
	if !strings.Contains(m.Header("Received"), "smtp 127.0.0.1") || strings.Contains(string(m.Data), "mode=") {
		t.Errorf("message\n%s", m.Data)
	}
	if !strings.Contains(s.log(), "client=smtp 127.0.0.1") {
		t.Errorf("log\n%s", s.log())
	}
}

// TestTakenPort: a TCP address that can't be had does not stop the mail of the host.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSite(t, "listen = \""+l.Addr().String()+"\"\n")
	s.start()
	s.answers()
	if !strings.Contains(s.log(), "agent.listen") {
		t.Errorf("log\n%s", s.log())
	}
}

func TestOnlyLoopback(t *testing.T) {
	t.Parallel()
	c := &config.Config{}
	c.Agent.Listen = "0.0.0.0:0"
	if l, err := listenTCP(c); err == nil {
		l.Close()
		t.Error("the agent listens to the world")
	}
	c.Agent.AllowRemote, c.Agent.RemoteAuth = true, config.AuthNetwork
	if l, err := listenTCP(c); err == nil {
		l.Close()
		t.Error("the agent listens for nobody")
	}
	c.Agent.AllowFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	l, err := listenTCP(c)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestAllowFrom: hosts that agent.allow_from does not name are refused when they connect.
func TestAllowFrom(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(ready.Port())
	s := newSite(t, "listen = \"0.0.0.0:"+port+"\"\nallow_remote = true\nremote_auth = \"network\"\nallow_from = [\"127.0.0.2\", "+
		"\"2001:db8::/32\"]\n")
	s.start()
	greeting := func(from string) string {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
		c, err := d.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line
	}
	if line := greeting("127.0.0.2"); !strings.HasPrefix(line, "220 ") {
		t.Errorf("a host that is named: %q", line)
	}
	for range 3 {
		if line := greeting("127.0.0.3"); !strings.HasPrefix(line, "554 5.7.1 ") {
			t.Errorf("a host that is not: %q", line)
		}
	}
	s.until("the log", func() bool { return strings.Contains(s.log(), "client=127.0.0.3:") })
	if n := strings.Count(s.log(), "status=refused"); n != 1 {
		t.Errorf("%d lines of three refusals\n%s", n, s.log())
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	from := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")}
	for addr, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.3.1": false,
		"fe80::1": true, "::1": false, "127.0.0.1": false} {
		if got := allowed(from, &net.TCPAddr{IP: net.ParseIP(addr), Zone: ""}); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if allowed(from, &net.UnixAddr{Name: "192.0.2.1"}) {
		t.Error("a socket that is none of TCP")
	}
}

// TestOptionalKeys: a wrong value of a key that delivery does not need is reported, and affects only that key.
func TestOptionalKeys(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{
		"listen open":     "listen = \"0.0.0.0:0\"\n",
		"listen for none": "listen = \"0.0.0.0:0\"\nallow_remote = true\n",
		"listen":          "listen = 25\n",
		"allow_from":      "listen = \"0.0.0.0:0\"\nallow_remote = true\nallow_from = [\"10.0.0.1/8\"]\n",
		"metrics_file":    "metrics_file = \"here\"\n",
		"metrics_listen":  "metrics_listen = \"0.0.0.0:9587\"\n",
		"intervals":       "queue_interval = 3\nprobe_interval = \"1\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, extra)
			s.start()
			if _, err := s.send(to("someone@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
				t.Error(err)
			}
			s.arrived(1)
			if key := strings.Fields(extra)[0]; !strings.Contains(s.log(), "agent."+key) {
				t.Errorf("the log does not report %s\n%s", key, s.log())
			}
		})
	}
}

// TestUnusableLog: mail does without its log.
func TestUnusableLog(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"wrong": "nowhere", "missing": "/nonexistent/log", "none": "/dev/null"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.write(strings.Replace(s.toml(""), filepath.Join(s.dir, "log"), value, 1))
			s.start()
			if _, err := s.send(to("someone@example.org"), envelope.Options{}, "Subject: x\r\n\r\n"); err != nil {
				t.Error(err)
			}
			s.arrived(1)
		})
	}
}

// TestPeers: the kernel says who calls, and the rules see it.
func TestPeers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.start()
	const nobody = 65533
	for _, uid := range []int{os.Getuid(), nobody} {
		if uid != os.Getuid() && os.Getuid() != 0 {
			t.Logf("uid %d is not tried: only root can become another user", uid)
			continue
		}
		c := dialAs(t, uid, s.socket)
		fmt.Fprint(c, "EHLO x\nMAIL FROM:root\nRCPT TO:root\nDATA\nSubject: "+strconv.Itoa(uid)+"\n\n.\nQUIT\n")
		all, _ := io.ReadAll(c)
		c.Close()
		if !strings.Contains(string(all), "\n250 2.0.0") {
			t.Errorf("uid %d: %s", uid, all)
		}
		if want := fmt.Sprintf("uid=%d, user=", uid); !strings.Contains(s.log(), want) {
			t.Errorf("no %q in\n%s", want, s.log())
		}
	}
	for _, m := range s.Messages() {
		if !strings.Contains(m.Header("Received"), "(userid "+m.Header("Subject")+")") {
			t.Errorf("message\n%s", m.Data)
		}
	}
}

// dialAs connects as another user: a thread of its own changes its ids and is thrown away.
func dialAs(t *testing.T, uid int, path string) net.Conn {
	t.Helper()
	// The directories of tests are open to their owner alone.
	for dir := filepath.Dir(path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755)
	}
	type result struct {
		c   net.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends here
		if uid != os.Getuid() {
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				done <- result{nil, errno}
				return
			}
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
		}
		if err != nil {
			done <- result{nil, err}
			return
		}
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		f.Close()
		done <- result{c, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatalf("as uid %d: %v", uid, r.err)
	}
	_ = r.c.SetDeadline(time.Now().Add(20 * time.Second))
	return r.c
}
