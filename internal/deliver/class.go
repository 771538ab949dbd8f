package deliver

import (
	"errors"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

// Class says who has to act on err. What nobody knows is temporary.
func Class(err error) diagnose.Class {
	var limit *LimitError
	var busy *busyError
	var paused *PausedError
	var sender *SenderError
	var e *submit.Error
	var token interface {
		Temporary() bool
		Configuration() bool
	}
	switch {
	case errors.As(err, &sender):
		return diagnose.Permanent
	case errors.As(err, &limit), errors.As(err, &busy), errors.As(err, &paused):
		return diagnose.AccountTemporary
	case errors.As(err, &e):
		return e.Class
	case errors.As(err, &token):
		// The token endpoint knows no message: its trouble is the whole account's.
		if token.Configuration() {
			return diagnose.Configuration
		}
		return diagnose.AccountTemporary
	}
	return diagnose.Temporary
}

// Permanent reports whether err will not pass by waiting or by an administrator's hand.
func Permanent(err error) bool { return Class(err) == diagnose.Permanent }

// ExitCode returns the sysexits code that tells a caller who keeps the message what
// err means: 75 only when trying again helps.
func ExitCode(err error) int {
	if sysexits.Shortage(err) {
		return sysexits.TempFail
	}
	if code := sysexits.Code(err, -1); code >= 0 {
		return code
	}
	var sender *SenderError
	if errors.As(err, &sender) {
		return sysexits.NoPerm
	}
	var e *submit.Error
	errors.As(err, &e)
	switch Class(err) {
	case diagnose.Configuration:
		return sysexits.Config
	case diagnose.Permanent:
		return permanentCode(e)
	}
	// A relay's name that can't be found is temporary too: resolvers say so when they can't ask, or can't
	// open a file. 68 is for a recipient's host.
	return sysexits.TempFail
}

// permanentCode tells apart what a caller can fix: an address, the message, or nothing.
func permanentCode(e *submit.Error) int {
	if e == nil {
		return sysexits.Unavailable
	}
	switch e.Enhanced {
	case "5.1.1", "5.1.10":
		return sysexits.NoUser
	case "5.1.2":
		return sysexits.NoHost
	case "5.1.3", "5.2.3", "5.3.4", "5.6.0", "5.6.7", "5.6.11", "5.6.211":
		return sysexits.DataErr
	}
	if e.Code == 552 || e.Diagnosis.Key == "message-over-mailbox-limit" || e.Diagnosis.Key == "header-field-too-long" {
		return sysexits.DataErr
	}
	var large *submit.TooLargeError
	if errors.As(e, &large) {
		return sysexits.DataErr
	}
	return sysexits.Unavailable
}
