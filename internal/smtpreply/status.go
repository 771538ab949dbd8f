package smtpreply

import (
	"strconv"
	"strings"

	"o365-sendmail/internal/sysexits"
)

// Status is the code of a reply with its enhanced code (RFC 3463).
type Status struct {
	Code     int
	Enhanced [3]int
}

// EnhancedText returns the enhanced code, "5.1.1".
func (s Status) EnhancedText() string {
	e := s.Enhanced
	return strconv.Itoa(e[0]) + "." + strconv.Itoa(e[1]) + "." + strconv.Itoa(e[2])
}

// statuses gives each exit code a status of its own, so that the client can tell them
// apart again. What an administrator will fix is temporary: a program that only speaks
// SMTP then keeps the message.
var statuses = [...]struct {
	exit   int
	status Status
}{
	{sysexits.Usage, Status{501, [3]int{5, 5, 4}}},
	{sysexits.DataErr, Status{554, [3]int{5, 6, 0}}},
	{sysexits.NoInput, Status{554, [3]int{5, 6, 1}}},
	{sysexits.NoUser, Status{550, [3]int{5, 1, 1}}},
	{sysexits.NoHost, Status{550, [3]int{5, 1, 2}}},
	{sysexits.Unavailable, Status{554, [3]int{5, 0, 0}}},
	{sysexits.Software, Status{451, [3]int{4, 5, 0}}},
	{sysexits.OSErr, Status{451, [3]int{4, 3, 0}}},
	{sysexits.OSFile, Status{451, [3]int{4, 2, 4}}}, // mailing list expansion problem
	{sysexits.CantCreat, Status{452, [3]int{4, 3, 1}}},
	{sysexits.IOErr, Status{452, [3]int{4, 3, 0}}},
	{sysexits.TempFail, Status{451, [3]int{4, 0, 0}}},
	{sysexits.Protocol, Status{503, [3]int{5, 5, 1}}},
	{sysexits.NoPerm, Status{550, [3]int{5, 7, 1}}},
	{sysexits.Config, Status{451, [3]int{4, 3, 5}}},
}

// TooLarge is the status of a message over the size limit (RFC 1870 6.1). Its exit code
// is that of wrong data.
var TooLarge = Status{552, [3]int{5, 3, 4}}

// StatusOf returns the status that stands for an exit code. A code that is not one of
// sysexits.h is a fault of the program.
func StatusOf(exit int) Status {
	for _, s := range statuses {
		if s.exit == exit {
			return s.status
		}
	}
	return StatusOf(sysexits.Software)
}

// ExitCode returns the exit code for a negative reply. Replies that StatusOf did not
// make, such as the SMTP library's own, are judged by what they mean to a caller: 75
// only when trying again helps.
func ExitCode(code int, enhanced string) int {
	for _, s := range statuses {
		if s.status.Code == code && s.status.EnhancedText() == enhanced {
			return s.exit
		}
	}
	switch {
	case code >= 400 && code < 500:
		return sysexits.TempFail
	case code == TooLarge.Code:
		return sysexits.DataErr
	case code == 500 || code == 502 || code == 503 || code == 504:
		return sysexits.Protocol
	case strings.HasPrefix(enhanced, "5.1."):
		return sysexits.NoUser
	case strings.HasPrefix(enhanced, "5.6."):
		return sysexits.DataErr
	case strings.HasPrefix(enhanced, "5.7."):
		return sysexits.NoPerm
	}
	return sysexits.Unavailable
}
