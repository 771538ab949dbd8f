package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"o365-sendmail/internal/config"
)

// inside tells the second of the two processes that it is in the namespace.
const inside = "BENCH_NAMESPACE"

// isolated reports whether this process may change what is mounted.
func isolated() bool { return os.Getenv(inside) != "" }

// isolate gives root's run namespaces of its own. One of mounts: callers then find the
// agent at its usual socket, and peers their configuration at its usual place, without
// anything changing on the machine. And one of processes: whatever daemons a peer has, the
// kernel ends them with the run, however that ends. Other users' runs leave those peers out.
func isolate() error {
	if os.Geteuid() != 0 || os.Getenv(inside) == "none" {
		_ = os.Unsetenv(inside)
		return nil
	}
	if isolated() {
		return errors.Join(
			mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE),
			mount("proc", "/proc", "proc", 0),
			os.MkdirAll(filepath.Dir(config.DefaultSocket), 0o755),
			mount("tmpfs", filepath.Dir(config.DefaultSocket), "tmpfs", 0),
		)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig: syscall.SIGTERM}
	var exit *exec.ExitError
	run := filepath.Dir(config.DefaultSocket)
	_, statErr := os.Stat(run)
	if err = cmd.Start(); err == nil {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		go func() {
			for sig := range signals {
				// A terminal's interrupt goes to both; the second one asks to be less polite.
				if sig != os.Interrupt {
					_ = cmd.Process.Signal(sig)
				}
			}
		}()
		err = cmd.Wait()
	}
	if errors.Is(statErr, os.ErrNotExist) {
		_ = os.Remove(run)
	}
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(1)
	case errors.Is(err, syscall.EPERM):
		return nil // a container without the right to mount
	default:
		return err
	}
	return nil
}

func mount(source, target, kind string, flags uintptr) error {
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		return &os.PathError{Op: "mount", Path: target, Err: err}
	}
	return nil
}

// over makes target, which must exist, show another directory.
func over(source, target string) error { return mount(source, target, "", syscall.MS_BIND) }
