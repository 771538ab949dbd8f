//go:build system

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const largeSize = 150_000_000

// writeLarge makes a message of largeSize bytes with LF lines and returns its file.
func writeLarge(t *testing.T, marker string) string {
	t.Helper()
	file := filepath.Join(lab.dir(t), "large")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := simple(marker)
	if _, err := io.WriteString(f, head); err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("0123456789abcdef", 4) + "0123456789\n"
	if _, err := io.CopyN(f, &endless{text: line}, largeSize-int64(len(head))-1); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLargeMessage: 150 MB pass with less than 20 MB resident, and where the
// server's limit is smaller they are refused at once with the limit's number.
func TestLargeMessage(t *testing.T) {
	marker := newMarker("large")
	file := writeLarge(t, marker)
	t.Run("delivered", func(t *testing.T) {
		c := newCall(t, lab.postfix, "", "/usr/sbin/sendmail", "-i", "you@example.org")
		r, resident := runMeasured(t, c, file)
		if r.code != 0 {
			t.Fatal(r)
		}
		t.Logf("peak resident memory: %d kB", resident)
		if resident >= 20_000 {
			t.Errorf("peak resident memory %d kB, want less than 20000", resident)
		}
		d := within(t, time.Minute, lab.postfix, marker)
		sent, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, sent, _ = bytes.Cut(sent, []byte("\n\n"))
		_, got, _ := bytes.Cut(d.Data, []byte("\r\n\r\n"))
		if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), sent) {
			t.Errorf("the body of %d bytes is not the one that was sent (%d)", len(got), len(sent))
		}
	})
	t.Run("refused", func(t *testing.T) {
		c := newCall(t, lab.postfix, "", "/usr/sbin/sendmail", "-i", "you@example.org")
		c.config = lab.postfix.configFor(lab.postfix.narrowPort, c.cache)
		started := time.Now()
		r, resident := runMeasured(t, c, file)
		t.Logf("%v after %v, peak resident memory: %d kB", r, time.Since(started).Round(time.Millisecond), resident)
		if r.code == 0 || r.code == 75 || !strings.Contains(r.stderr, strconv.Itoa(narrowSize)) ||
			strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v, want a permanent failure in one line with the limit, %d", r, narrowSize)
		}
		if d := time.Since(started); d > 15*time.Second {
			t.Errorf("it took %v", d)
		}
		// It must not have been sent: Postfix counts each session's commands.
		log, err := os.ReadFile(filepath.Join(lab.work, "postfix", "postfix", "log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), "message size") &&
			strings.Contains(string(log), "queue file size limit exceeded") {
			t.Error("the message was sent although it was too large")
		}
	})
}

// runMeasured runs the program itself, without a shell before it, with a file as
// input, and returns its peak resident memory in kB. wait4's ru_maxrss would
// count this test's own memory, which the child shares until it calls exec;
// the peak in /proc counts from exec on, and is read when the process is about to end.
func runMeasured(t *testing.T, c *call, input string) (result, int) {
	t.Helper()
	config := filepath.Join(lab.dir(t), "config.toml")
	if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var output bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	// All ptrace requests have to come from the thread that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/", "O365_SENDMAIL_CONFIG=" + config}
	cmd.Dir, cmd.Stdin, cmd.Stderr = "/", stdin, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	code, peak, err := traceToExit(cmd.Process.Pid)
	if err != nil {
		cmd.Process.Kill()
		t.Fatal(err)
	}
	cmd.Wait() // the process is reaped: only the output's copying is waited for
	r := result{code: code, stderr: output.String()}
	lab.collect(t, r.stderr)
	return r, peak
}

// traceToExit lets a traced process run until it is about to end, and returns its exit code and peak memory.
func traceToExit(pid int) (code, peak int, err error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return 0, 0, fmt.Errorf("waiting for exec: %w", err)
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACEEXIT); err != nil {
		return 0, 0, err
	}
	for signal := 0; ; {
		if err := syscall.PtraceCont(pid, signal); err != nil {
			return 0, 0, err
		}
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return 0, 0, err
		}
		signal = 0
		switch {
		case status.Exited():
			if peak == 0 {
				err = errors.New("the process ended without the event before it")
			}
			return status.ExitStatus(), peak, err
		case status.Signaled():
			return -1, peak, fmt.Errorf("ended by %v", status.Signal())
		case status.Stopped() && status.TrapCause() == syscall.PTRACE_EVENT_EXIT:
			if peak, err = peakResident(pid); err != nil {
				return 0, 0, err
			}
		case status.Stopped() && status.StopSignal() != syscall.SIGTRAP:
			signal = int(status.StopSignal())
		}
	}
}

// peakResident reads VmHWM in kB.
func peakResident(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, errors.New("no VmHWM in /proc")
}
