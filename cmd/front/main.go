// Command front is the quick half of sendmail, which a package installs as
// /usr/sbin/sendmail: a program of two megabytes that hands a message to the agent. For
// everything else it turns into the whole program, cmd/sendmail. A host without an agent
// needs it not.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"o365-sendmail/internal/crash"
	_ "o365-sendmail/internal/early" // before anything reads TZ
	"o365-sendmail/internal/front"
	"o365-sendmail/internal/paths"
)

// Where a package installs the whole program, and where the agent listens. Tests set others
// at link time.
var (
	program = paths.Program
	socket  = paths.Socket
)

func main() {
	defer crash.Catch()
	// A reader of standard error that goes away must not kill the call half-way. Other signals
	// may: the agent has the message or has not, and to watch for them takes three threads.
	signal.Ignore(syscall.SIGPIPE)
	code, done, note := front.Main(context.Background(), front.Env{
		Args: os.Args, Stdin: os.Stdin, Stderr: os.Stderr, Getenv: os.Getenv, UID: os.Getuid(), Socket: socket,
	})
	if !done {
		environ := os.Environ()
		if note != "" {
			environ = append([]string{note}, environ...) // the first of two counts
		}
		code = front.Start(os.Stderr, program, os.Args, environ)
	}
	os.Exit(code)
}
