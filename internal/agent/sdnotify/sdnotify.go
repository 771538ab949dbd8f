// Package sdnotify is the service's side of systemd: the sockets that it hands over
// (sd_listen_fds(3)), the notices that it wants (sd_notify(3)) and its watchdog. Without
// systemd everything does nothing. It reads only the variables of those protocols.
package sdnotify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Manager is the service manager that started this process.
type Manager struct {
	socket   string // for notices
	watchdog time.Duration
	fds      int
	names    []string
}

// New reads the manager's variables. Those that are meant for another process, as a
// parent's that was started by systemd, do not count.
func New(getenv func(string) string, pid int) *Manager {
	m := &Manager{socket: getenv("NOTIFY_SOCKET")}
	if forUs(getenv("WATCHDOG_PID"), pid, true) {
		if n, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && n > 0 {
			m.watchdog = time.Duration(n) * time.Microsecond
		}
	}
	if forUs(getenv("LISTEN_PID"), pid, false) {
		if n, err := strconv.Atoi(getenv("LISTEN_FDS")); err == nil && n > 0 && n <= maxFDs {
			m.fds = n
		}
		if names := getenv("LISTEN_FDNAMES"); names != "" {
			m.names = strings.Split(names, ":")
		}
	}
	return m
}

const (
	firstFD = 3 // SD_LISTEN_FDS_START
	maxFDs  = 64
)

func forUs(value string, pid int, ifUnset bool) bool {
	if value == "" {
		return ifUnset
	}
	n, err := strconv.Atoi(value)
	return err == nil && n == pid
}

// Watchdog is how often the manager wants to hear from the service at least; 0 for never.
func (m *Manager) Watchdog() time.Duration { return m.watchdog }

// Listener is a socket that was handed over.
type Listener struct {
	// Name is FileDescriptorName= of the socket unit.
	Name string
	net.Listener
}

// Listeners returns the sockets that were handed over, once. What is no listening stream
// socket is an error, since nobody would answer there.
func (m *Manager) Listeners() ([]Listener, error) {
	var all []Listener
	var errs []error
	for i := range m.fds {
		fd := firstFD + i
		syscall.CloseOnExec(fd)
		name := "unknown"
		if i < len(m.names) {
			name = m.names[i]
		}
		f := os.NewFile(uintptr(fd), name)
		l, err := net.FileListener(f) // makes a copy of its own
		_ = f.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("descriptor %d (%s) that was handed over is not a listening socket: %w", fd,
				name, err))
			continue
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // it stays for the next start
		}
		all = append(all, Listener{name, l})
	}
	m.fds = 0
	return all, errors.Join(errs...)
}

// The states that a service tells.
const (
	Ready     = "READY=1"
	Reloading = "RELOADING=1" // READY follows
	Stopping  = "STOPPING=1"
	Alive     = "WATCHDOG=1"
)

// Status returns the line that systemctl status shows.
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// Extend asks for more time to start or stop.
func Extend(d time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10)
}

// Notify sends states to the manager, if there is one.
func (m *Manager) Notify(states ...string) error {
	if m.socket == "" {
		return nil
	}
	name := m.socket
	if name[0] != '/' && name[0] != '@' {
		return fmt.Errorf("NOTIFY_SOCKET is neither a path nor abstract")
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = conn.Write([]byte(strings.Join(states, "\n")))
	return err
}
