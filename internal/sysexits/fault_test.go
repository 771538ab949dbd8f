package sysexits

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const secret = "Abc8Q~this-must-not-be-shown"

// TestMain is the program that has a fault, when it is told to.
func TestMain(m *testing.M) {
	logSocket = os.Getenv("FAULT_TEST_LOG")
	defer Catch()
	switch os.Getenv("FAULT_TEST") {
	case "":
		os.Exit(m.Run())
	case "main":
		var none []int
		_ = none[len(os.Args)]
	case "goroutine":
		Go(func() { panic(secret) })
		select {}
	case "many":
		for range 100 {
			Go(func() { noMap()[secret] = 1 })
		}
		select {}
	}
}

func noMap() map[string]int { return nil }

// TestCatch: the caller sees one line, the log has one with the place, and neither has a value.
func TestCatch(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"main", "goroutine", "many"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "log")
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "FAULT_TEST="+kind, "FAULT_TEST_LOG="+socket)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != Software {
				t.Errorf("exit code %d", code)
			}
			said := string(out)
			if strings.Count(said, "\n") != 1 || !strings.Contains(said, ": error: fault of this program: ") ||
				strings.Contains(said, "goroutine") || strings.Contains(said, secret) {
				t.Errorf("said %q", said)
			}
			_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
			var buf [8192]byte
			n, err := l.Read(buf[:])
			line := string(buf[:n])
			if err != nil || !strings.Contains(line, "sysexits.TestMain") || strings.Contains(line, "\n") ||
				strings.Contains(line, secret) {
				t.Errorf("logged %q, %v", line, err)
			}
			_ = l.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if n, err := l.Read(buf[:]); err == nil {
				t.Errorf("logged twice: %q", buf[:n])
			}
		})
	}
}
