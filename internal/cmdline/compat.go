package cmdline

import (
	"fmt"
	"strings"
)

// Compatibility returns docs/compatibility.md: one line per flag, made from the table that
// the parser uses.
func Compatibility() string {
	var b strings.Builder
	b.WriteString(compatibilityHead)
	b.WriteString("| flag | whose | what becomes of it | |\n|---|---|---|---|\n")
	for _, f := range flags {
		name := "-" + string(rune(f.letter))
		switch f.arg {
		case needsValue:
			name += " *value*"
		case attachedValue:
			name += "[*value*]"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, owners(f.from), f.verdict, f.about)
	}
	b.WriteString(compatibilityModes)
	b.WriteString("| option | what becomes of it | |\n|---|---|---|\n")
	for _, o := range optionTable {
		fmt.Fprintf(&b, "| -o%c | %s | %s |\n", o.letter, o.verdict, o.about)
	}
	b.WriteString("| -o any other | ignored for safety | limits and files of Sendmail's own |\n")
	return b.String()
}

func owners(letters string) string {
	var names []string
	for _, l := range letters {
		switch l {
		case 'S':
			names = append(names, "Sendmail")
		case 'P':
			names = append(names, "Postfix")
		case 'E':
			names = append(names, "Exim")
		case 'L':
			names = append(names, "LSB")
		}
	}
	return strings.Join(names, ", ")
}

const compatibilityHead = `# Compatibility with sendmail

This page is made from the program's own table of flags; a test fails when they differ.

* *done*: as in Sendmail, as far as it makes sense with one relay.
* *ignored*: accepted, without effect, because nothing here depends on it.
* *ignored for safety*: accepted, never acted on. Such flags name files or change trust, and web applications let strangers
  reach the command line (PHP's fifth argument of mail()).
* Any other flag is refused with exit code 64 and one line.

Letters can be grouped (-ti); a value may stand in the same word (-fa@b) or in the next. Flags end at the first argument that is none, or
after --. A flag after a recipient is refused; an address that begins with a hyphen needs -- before it.

Recipients: with -t those in To, Cc and Bcc (or in the newest Resent block) are added to those named as arguments, as in Sendmail and
Postfix. Exim takes them away. Without -i a line with a single dot ends the message. A call may name up to 10,000
recipients (delivery.max_recipients_per_call), and is split into transactions of delivery.max_recipients; with -bs the
client begins another one after 452.

`

const compatibilityModes = `
## Modes of -b

| mode | what becomes of it |
|---|---|
| -bm | done: a message from standard input; the default |
| -bs | done: SMTP on standard input and output, LF line ends and bare local names included |
| -bp | done: the queue, as mailq |
| -bi | done: checks the alias file, as newaliases; there is no database to build |
| -bv | done: shows where mail to each address would go |
| -bd, -bD | done: the agent |
| any other | refused with exit code 64 |

## Options of -o

`
