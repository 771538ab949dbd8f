package cli

import (
	"context"
	"fmt"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/sysexits"
)

// verb is one of the administrator's commands.
type verb struct {
	name  string
	about string
	run   func(e *Env, ctx context.Context, args []string) int
}

// verbs returns the administrator's commands in the order of the help text.
func verbs() []verb {
	return []verb{
		{"serve", "run the agent: take mail from local programs and deliver it", serveVerb},
		{"queue", "list, show, retry, hold, release, delete or flush queued mail", (*Env).queueCommand},
		{"setup", "ask for what is needed, write the configuration, print what to do in the tenant", (*Env).setupCommand},
		{"doctor", "check the way of a message and name the step to do next", (*Env).doctorCommand},
		{"send-test", "send a test message and print the relay's words", (*Env).sendTestCommand},
		{"token", "print an access token's claims, or with --raw the token", (*Env).tokenCommand},
		{"config", "check the configuration, or show the values in force", (*Env).configCommand},
		{"version", "print the version", func(e *Env, _ context.Context, _ []string) int {
			fmt.Fprintf(e.Stdout, "o365-sendmail %s\n", e.Version)
			return sysexits.OK
		}},
	}
}

// admin runs a verb of o365-sendmail.
func (e *Env) admin(ctx context.Context, args []string) int {
	all := verbs()
	for _, v := range all {
		if v.name == args[0] {
			return v.run(e, ctx, args[1:])
		}
	}
	if args[0] != "help" {
		return e.fail("o365-sendmail", cmdline.Usagef("unknown command %.64q; try o365-sendmail help", args[0]))
	}
	fmt.Fprintln(e.Stdout, "usage: o365-sendmail COMMAND [ARGUMENT ...]\n       o365-sendmail FLAGS as sendmail(8)\n\ncommands:")
	for _, v := range all {
		fmt.Fprintf(e.Stdout, "  %-10s %s\n", v.name, v.about)
	}
	return sysexits.OK
}
