package config

import (
	"errors"
	"syscall"

	"o365-sendmail/internal/sysexits"
)

// Passing reports whether a file could not be read for a reason that says nothing about it: a
// failing disk, or a shortage of descriptors or memory. The next reading may succeed.
func Passing(err error) bool {
	for _, e := range [...]error{
		syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ENOSPC, syscall.EDQUOT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// exitCode tells such a fault from one of the configuration's.
func exitCode(err error) int {
	switch {
	case errors.Is(err, syscall.EIO):
		return sysexits.IOErr
	case Passing(err):
		return sysexits.TempFail
	}
	return sysexits.Config
}
