// Command fleet is cmd/sendmail with the client of a fleet's servers, which a package installs where only the agent
// starts it: sendmail's serve turns into it when the configuration has fleet.servers. Nobody else pays for the client.
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

// version is set at link time.
var version = "devel"

func main() {
	defer sysexits.Catch()
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := cli.Main(ctx, cli.Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, UID: os.Getuid(), Version: version, Own: true, Fleet: join,
	})
	stop()
	os.Exit(code)
}
