package cmdline

import (
	stdflag "flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = stdflag.Bool("update", false, "write docs/compatibility.md again")

func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	const page = "../../docs/compatibility.md"
	want := compatibility()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/compatibility.md differs from the table of flags: go test ./internal/cmdline -run " +
			"Compatibility -update")
	}
}

func (v verdict) String() string {
	switch v {
	case done:
		return "done"
	case ignored:
		return "ignored"
	default:
		return "ignored for safety"
	}
}

// TestFlagTable: each letter stands once, and one that is done does something.
func TestFlagTable(t *testing.T) {
	t.Parallel()
	seen := map[byte]bool{}
	for _, f := range flags {
		if seen[f.letter] || f.about == "" || f.from == "" {
			t.Errorf("-%c stands twice or is not explained", f.letter)
		}
		seen[f.letter] = true
		if (f.verdict == done) != (f.set != nil) && f.letter != 'O' && f.letter != 'M' {
			t.Errorf("-%c is %v, but its action says otherwise", f.letter, f.verdict)
		}
	}
}

// compatibility returns docs/compatibility.md: one line per flag, made from the table that
// the parser uses.
func compatibility() string {
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
	b.WriteString(otherMailers())
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

Letters can be grouped (-ti); a value may stand in the same word (-fa@b) or in the next. Flags end at the first argument that is not a flag, or
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
