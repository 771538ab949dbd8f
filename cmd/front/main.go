// Command front is the quick half of sendmail, which a package installs as
// /usr/sbin/sendmail: a program of two megabytes that hands a message to the agent. For
// everything else it turns into the whole program, cmd/sendmail. A host without an agent
// has no need of it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// Where a package installs the whole program, and where the agent listens. Tests set others
// at link time.
var (
	program = "/usr/sbin/o365-sendmail"
	socket  = host.Socket
)

func main() {
	defer sysexits.Catch()
	// Nobody opens what the caller's TZ or ZONEINFO names. The whole program needs internal/utc for this, because a
	// library asks for the zone before main there.
	time.Local = time.UTC
	// A reader of standard error that goes away must not kill the call half-way. Other signals
	// may: the agent has the message or has not, and to watch for them takes three threads.
	signal.Ignore(syscall.SIGPIPE)
	code, done, note := handOff(context.Background(), process{
		Args: os.Args, Stdin: os.Stdin, Stderr: os.Stderr, Getenv: os.Getenv, UID: os.Getuid(), Socket: socket,
	})
	if !done {
		environ := os.Environ()
		if note != "" {
			environ = append([]string{note}, environ...) // the first of two counts
		}
		code = start(os.Stderr, program, os.Args, environ)
	}
	os.Exit(code)
}
