package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what one process took.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // bytes resident at most, of the process alone; 0 when not watched
}

// start starts a program with a file as its standard input. The program gets the
// environment of cron: next to none, and what stands before the program. ROOT/./PROGRAM is a program with a root of its
// own.
func start(stdin string, argv []string) (*exec.Cmd, *bytes.Buffer, error) {
	if interrupted.Load() {
		return nil, nil, errInterrupted
	}
	in, err := os.Open(stdin)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	var config []string
	if strings.HasPrefix(argv[0], variable) {
		config, argv = argv[:1:1], argv[1:]
	}
	root, program := "", argv[0]
	if before, after, ok := strings.Cut(program, "/./"); ok {
		root, program = before, "/"+after
	}
	cmd := exec.Command(program, argv[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8"}
	cmd.Env = append(cmd.Env, config...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, nil, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Chroot: root}
	// Who is measured may leave a child behind that holds the pipe.
	cmd.WaitDelay = time.Second
	return cmd, &said, cmd.Start()
}

// once runs a program to its end.
func once(stdin string, argv ...string) (cost, error) { return watch(false, stdin, argv...) }

// watched is once with an eye on the program's memory.
func watched(stdin string, argv ...string) (cost, error) { return watch(true, stdin, argv...) }

func watch(memory bool, stdin string, argv ...string) (c cost, err error) {
	begun := time.Now()
	cmd, said, err := start(stdin, argv)
	if err != nil {
		return c, err
	}
	stop := make(chan struct{})
	peak := make(chan int64, 1)
	if memory {
		go func() { peak <- highWater(cmd.Process.Pid, stop) }()
	}
	err = cmd.Wait()
	c.wall = time.Since(begun)
	if close(stop); memory {
		c.peak = <-peak
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w: %.300s", filepath.Base(argv[0]), err, said.String())
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return c, nil
}

// highWater follows a process until stop and returns the most memory that it had. What
// wait4 tells is of no use here: it counts the pages of the parent before the exec.
func highWater(pid int, stop <-chan struct{}) (peak int64) {
	for {
		peak = max(peak, statusKiB(pid, "VmHWM")<<10)
		select {
		case <-stop:
			return peak
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// statusKiB reads a field of /proc/PID/status that is in KiB.
func statusKiB(pid int, field string) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n
		}
	}
	return 0
}

// cpuOf is the CPU time that a process and those that it has started have used so far, to
// a hundredth of a second each.
func cpuOf(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	used, _ := statOf(pid)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			if more, parent := statOf(child); parent == pid {
				used += more
			}
		}
	}
	return used
}

// statOf reads what a process has used, with its children that have ended, and its parent.
func statOf(pid int) (used time.Duration, parent int) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 15 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	for _, ticks := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(ticks, 10, 64)
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used, parent
}

// daemon runs a program until its stop is called, which also tells what it said.
type daemon struct {
	cmd  *exec.Cmd
	said *bytes.Buffer
}

func startDaemon(argv ...string) (*daemon, error) {
	cmd, said, err := start("/dev/null", argv)
	return &daemon{cmd, said}, err
}

func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	err := d.cmd.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w: %.300s", filepath.Base(d.cmd.Path), err, d.said.String())
	}
	return nil
}

// eventually waits until a condition holds.
func eventually(what string, holds func() bool) error {
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if interrupted.Load() {
			return errInterrupted
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 10 s for %s", what)
		}
	}
	return nil
}
