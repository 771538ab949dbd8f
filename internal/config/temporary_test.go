package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// unreadableFile is a plain file whose reading fails: nothing is mapped at address 0.
const unreadableFile = "/proc/self/mem"

func TestPassing(t *testing.T) {
	t.Parallel()
	for err, code := range map[error]int{
		syscall.EIO: sysexits.IOErr, syscall.EMFILE: sysexits.TempFail, syscall.ENOSPC: sysexits.TempFail,
		syscall.ENOENT: sysexits.Config, syscall.EACCES: sysexits.Config, errors.New("x"): sysexits.Config,
	} {
		err := fmt.Errorf("wrapped: %w", Errors{{File: "f", Problem: "p", Err: err}})
		if Passing(err) != (code != sysexits.Config) || exitCode(err) != code {
			t.Errorf("%v: %v, %d", err, Passing(err), exitCode(err))
		}
	}
	if Passing(nil) {
		t.Error("no error is passing")
	}
}

// TestBrokenDisk: a read error is none of the configuration's faults.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a file that can't be read")
	}
	if _, err := (Loader{}).Load(unreadableFile); sysexits.Code(err, 0) != sysexits.IOErr || !Passing(err) {
		t.Errorf("%v, code %d", err, sysexits.Code(err, 0))
	}
	link := filepath.Join(t.TempDir(), "secret")
	if err := os.Symlink(unreadableFile, link); err != nil {
		t.Fatal(err)
	}
	c := &Config{ClientSecretFile: link}
	if _, err := c.Secret(); sysexits.Code(err, 0) != sysexits.IOErr {
		t.Errorf("a secret's file: %v, code %d", err, sysexits.Code(err, 0))
	}
}
