// Package sysexits is how a process ends: the exit codes of sysexits.h that sendmail's callers understand, an error
// that carries one, and the end with Software when this program has a fault (a panic). It knows nothing of mail or
// configuration, and chooses no other code: that is up to the package that finds the fault.
package sysexits

import (
	"errors"
	"syscall"
)

// The codes of BSD's sysexits.h.
const (
	OK          = 0
	Usage       = 64 // the command line is wrong
	DataErr     = 65 // the message or an address is wrong
	NoInput     = 66 // the input can't be read
	NoUser      = 67 // a recipient does not exist
	NoHost      = 68 // a host name does not exist
	Unavailable = 69 // refused for good by the relay
	Software    = 70 // a fault of this program
	OSErr       = 71 // the system refused something it should not
	OSFile      = 72 // a system file is missing or wrong
	CantCreat   = 73 // the spool can't be written
	IOErr       = 74 // reading or writing failed
	TempFail    = 75 // nothing was kept; the caller should try again
	Protocol    = 76 // the peer broke the protocol
	NoPerm      = 77 // not allowed
	Config      = 78 // the configuration is wrong
)

// Error is an error with the exit code that tells it to the caller.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// With returns err with an exit code, or nil for a nil err.
func With(code int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err}
}

// Code returns the exit code that err carries; otherwise is what an error
// without one gets. A nil err is OK.
func Code(err error, otherwise int) int {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return otherwise
}

// Shortage reports whether the system had too little of something for the moment, in whatever
// step: nothing about the call or the configuration is wrong then.
func Shortage(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ENOBUFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// About says what a code means, "" for one that is not of sysexits.h.
func About(code int) string {
	if code < Usage || code > Config {
		return ""
	}
	return [...]string{
		"the command line is wrong", "the message or an address is wrong", "the input can't be read",
		"a recipient does not exist",
		"a host name does not exist", "the relay refuses the message for good", "a fault of this program",
		"the system refused something that it should not refuse", "a system file is missing or wrong",
		"the spool can't be written",
		"reading or writing failed", "a passing fault: nothing was kept, and the caller should try again",
		"the peer broke the protocol",
		"not allowed", "the configuration is wrong: an administrator has to act",
	}[code-Usage]
}
