package cli

import (
	"context"
	"fmt"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
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
		{"log", "find what became of mail: sent, refused, bounced, expired", (*Env).logCommand},
		{"stats", "sum up what became of mail, as text, JSON or a page in HTML", (*Env).statsCommand},
		{"setup", "ask for what is needed, write the configuration, print what to do in the tenant",
			(*Env).setupCommand},
		{"import", "read the files of another mailer, say line by line what comes over, write the configuration",
			(*Env).importCommand},
		{"credential", "show, renew, test and switch the secret or certificate that the application signs in with",
			(*Env).credentialCommand},
		{"doctor", "check the way of a message and name the step to do next", (*Env).doctorCommand},
		{"send-test", "send a test message and print the relay's words", (*Env).sendTestCommand},
		{"explain", "say what an error code, a reply or a line of the log means, and what to do",
			(*Env).explainCommand},
		{"fleet", "show the hosts that share a mailbox's limits, and what each uses", (*Env).fleetCommand},
		{"token", "print an access token's claims, or with --raw the token", (*Env).tokenCommand},
		{"config", "check the configuration, or show the values in force", (*Env).configCommand},
		{"completion", "print a script that completes commands in bash, zsh or fish", (*Env).completionCommand},
		{"version", "print the version", func(e *Env, _ context.Context, args []string) int {
			if len(args) == 1 && isHelp(args[0]) {
				fmt.Fprintln(e.Stdout, "usage: o365-sendmail version")
				return sysexits.OK
			}
			return e.version()
		}},
	}
}

func isHelp(arg string) bool { return arg == "--help" || arg == "-help" || arg == "-h" }

func (e *Env) version() int {
	fmt.Fprintf(e.Stdout, "o365-sendmail %s\n", e.Version)
	return sysexits.OK
}

// admin runs a verb of o365-sendmail.
func (e *Env) admin(ctx context.Context, args []string) int {
	all := verbs()
	if len(args) == 2 && args[0] == "help" && !isHelp(args[1]) {
		args = []string{args[1], "--help"}
	}
	names := []string{"help"}
	for _, v := range all {
		names = append(names, v.name)
		switch {
		case v.name != args[0]:
		case len(args) == 2 && args[1] == "--version":
			return e.version()
		default:
			return v.run(e, ctx, args[1:])
		}
	}
	if args[0] != "help" {
		return e.fail("o365-sendmail", cmdline.Usagef("unknown command %.64q%s; try o365-sendmail help",
			args[0], didYouMean(args[0], names)))
	}
	fmt.Fprintln(e.Stdout, "usage: o365-sendmail COMMAND [ARGUMENT ...]\n       o365-sendmail FLAGS as "+
		"sendmail(8)\n\ncommands:")
	for _, v := range all {
		fmt.Fprintf(e.Stdout, "  %-10s %s\n", v.name, v.about)
	}
	return sysexits.OK
}

// didYouMean is the end of a sentence about a word that is not in names.
func didYouMean(word string, names []string) string {
	if near := config.Nearest(word, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}
