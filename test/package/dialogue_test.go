//go:build package

package pkgtest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// step is what a person reads on the terminal, and then types.
type step struct{ reads, types string }

// dialogue runs a command at a terminal and answers as a person would. It returns all
// that was shown.
func (c *chroot) dialogue(frontend, command string, steps ...step) string {
	c.t.Helper()
	master, slave := openTerminal(c.t)
	defer master.Close()
	cmd := exec.Command("chroot", c.root, "sh", "-c", command)
	cmd.Env = append(environment[:len(environment)-1:len(environment)-1], "TERM=xterm", "DEBIAN_FRONTEND="+frontend)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err := cmd.Start()
	slave.Close()
	if err != nil {
		c.t.Fatal(err)
	}

	var mu sync.Mutex
	var screen strings.Builder
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for buf := make([]byte, 4096); ; {
			n, err := master.Read(buf)
			mu.Lock()
			screen.Write(buf[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	shown := func() string {
		mu.Lock()
		defer mu.Unlock()
		return screen.String()
	}
	read := 0
	for _, s := range steps {
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if at := strings.Index(shown()[read:], s.reads); at >= 0 {
				read += at + len(s.reads)
				break
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				c.t.Fatalf("%s: %q was not shown; the terminal has\n%s", frontend, s.reads, tail(shown()))
			}
		}
		if _, err := master.WriteString(s.types); err != nil {
			c.t.Fatal(err)
		}
	}
	timer := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	timer.Stop()
	select {
	case <-closed:
	case <-time.After(time.Second): // a daemon may hold the terminal
	}
	c.t.Logf("%s at a terminal: %s\n%s", frontend, command, tail(shown()))
	if err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	return shown()
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminal can be had: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be had: %v", err)
	}
	return master, slave
}

// A person answers debconf's questions: a slip is told and asked again, the secret is not
// shown and not kept, and the dialogue of dpkg-reconfigure shows what is there.
func TestDialogue(t *testing.T) {
	eachSuite(t, func(c *chroot) {
		c.noServices()
		c.write("/etc/mailname", "host.example.org\n", 0o644)
		out := c.dialogue("teletype", install+"/tmp/o365-sendmail.deb",
			step{"Microsoft 365 tenant:", "common\n"},
			step{"That answer can't be right", ""},
			step{"Microsoft 365 tenant:", c.m.Tenant + "\n"},
			step{"Application (client) ID:", "12345\n"},
			step{"That answer can't be right", ""},
			step{"Application (client) ID:", c.m.ClientID + "\n"},
			// The Secret ID, which stands beside the Value in the portal.
			step{"Client secret:", "11111111-2222-4333-8444-555555555555\n"},
			step{"That answer can't be right", ""},
			step{"Client secret:", c.m.ClientSecret + "\n"},
			step{"Mailbox that sends:", c.m.Mailbox + "\n"},
			step{"Address for mail to root:", c.m.RootTo + "\n"},
		)
		if strings.Contains(out, c.m.ClientSecret) {
			c.t.Error("the secret was shown")
		}
		c.wantStat("/etc/o365-sendmail.toml", "640 root:o365-sendmail")
		c.startAgent()
		if r := c.as("alice", "echo x | sendmail -i root"); r.code != 0 {
			c.t.Errorf("sendmail: exit %d", r.code)
		}
		if to := c.m.wait(c.t, 1)[0].To[0]; to != c.m.RootTo {
			c.t.Errorf("delivered to %s", to)
		}
		checkSecrecy(c)

		// In full screen: what is there is kept by Enter, mail to root goes elsewhere.
		before := c.read("/etc/o365-sendmail.toml")
		c.install("whiptail")
		c.dialogue("dialog", "dpkg-reconfigure o365-sendmail",
			step{"tenant", "\r"}, step{"client", "\r"}, step{"secret", "\r"}, step{"Mailbox", "\r"},
			step{"root", strings.Repeat("\x7f", len(c.m.RootTo)) + "else@contoso.test\r"})
		want := strings.Replace(before, `root_to = "`+c.m.RootTo+`"`, `root_to = "else@contoso.test"`, 1)
		if got := c.read("/etc/o365-sendmail.toml"); got != want || got == before {
			c.t.Errorf("the configuration became\n%s", got)
		}
	})
}
