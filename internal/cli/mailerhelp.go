package cli

import (
	"fmt"

	"o365-sendmail/internal/sysexits"
)

// mailerHelp is --help of the names that every mailer has. An -h with nothing behind it, a hop count that is
// missing, asks for it as well.
func (e *Env) mailerHelp(name string) int {
	usage := "usage: sendmail [FLAGS] [RECIPIENT ...] <MESSAGE\n" +
		"  -t          take the recipients from the header, too\n" +
		"  -i          a line with a single dot does not end the message\n" +
		"  -f ADDRESS  the sender\n" +
		"  -v          show the dialogue with the server\n" +
		"  -bp         list the queue\n" +
		"  -q          deliver what waits\n" +
		"  -bs         speak SMTP on standard input and output\n" +
		"sendmail(8) has all flags; o365-sendmail help has the commands for setting up and checking\n"
	switch name {
	case "mailq":
		usage = "usage: mailq [FILTER ...] [ID ...]\nlists the queue, or what filters such as --older 2h choose: " +
			"mailq(1)\n"
	case "newaliases":
		usage = "usage: newaliases\nchecks the alias file and says what is skipped: newaliases(1)\n"
	}
	fmt.Fprint(e.Stdout, usage)
	return sysexits.OK
}
