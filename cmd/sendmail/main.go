// Command sendmail replaces /usr/sbin/sendmail: it takes a message on standard input
// and hands it to Exchange Online by SMTP with XOAUTH2. Called as mailq, newaliases or
// o365-sendmail it shows those faces.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"o365-sendmail/internal/cli"
	"o365-sendmail/internal/sysexits"
	_ "o365-sendmail/internal/utc" // before anything reads TZ
)

// Set at link time: the version, and where a package installs the program that serves in a fleet.
var (
	version = "devel"
	fleet   = "/usr/lib/o365-sendmail/fleet"
)

func main() {
	defer sysexits.Catch()
	// A reader of standard error that goes away must not kill a delivery half-way.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := cli.Main(ctx, cli.Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, UID: os.Getuid(), Version: version, Own: true,
		BecomeFleet: func() error {
			return &os.PathError{Op: "exec", Path: fleet, Err: syscall.Exec(fleet, os.Args, os.Environ())}
		},
	})
	stop()
	os.Exit(code)
}
