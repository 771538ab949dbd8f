package cmdline

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// others is what callers of other mailers of Debian 12 meet when this program takes their place: a call, what the
// other does, the finding that shows it, and the case that holds what this program does.
var others = [][4]string{
	{"recipients on a folded line of To, Cc or Bcc, with -t", "dma 0.13 leaves them out, and ends with 0",
		"dma-sends-to-the-first-line-of-a-field", "recipients/bcc-folded"},
	{"Resent-To, with -t", "ssmtp 2.64, esmtp 1.2 and dma send to To once more", "mailers-resend-to-the-old-recipients",
		"recipients/resent"},
	{"a group in To, with -t", "ssmtp and esmtp make its name a part of an address", "mailers-read-recipients",
		"recipients/group"},
	{"a quoted local part, with -t", "msmtp 1.8.23 sends to an empty one", "mailers-read-recipients",
		"recipients/quoted-local"},
	{"a recipient beside -t", "ssmtp sends nothing, and ends with 0", "ssmtp-ends-with-0-and-sends-nothing",
		"recipients/t-adds-arguments"},
	{"-V with an envelope id", "ssmtp prints its version, sends nothing, and ends with 0",
		"ssmtp-ends-with-0-and-sends-nothing", "dsn/envid"},
	{"a text without a header", "nullmailer 2.2 leaves out its first line", "nullmailer-loses-the-first-line",
		"header/no-header"},
	{"Return-Path in the header", "nullmailer makes it the envelope's sender", "nullmailer-sends-from-return-path",
		"header/return-path"},
	{"-F with a name that has a comma or a quotation mark", "msmtp and nullmailer write it without quotes",
		"mailers-write-a-name-without-quotes", "sender/F-special"},
	{"-f with the null sender", "dma sends from <@host>", "dma-has-no-null-sender", "sender/null-empty"},
	{"CRLF line ends", "dma adds a CR to each", "dma-adds-a-cr-to-crlf", "body/crlf"},
}

func otherMailers() string {
	var b strings.Builder
	b.WriteString(othersHead)
	for _, o := range others {
		fmt.Fprintf(&b, "| %s | %s | `%s` | `%s` |\n", o[0], o[1], o[2], o[3])
	}
	return b.String()
}

const othersHead = `
## Coming from another mailer

Calls that are right, and that small mailers of Debian 12 take otherwise. Each is shown by a script in ` + "`findings/`" + `,
which runs the other mailer alone; what this program does is held by a case in [cases.md](cases.md).

| call | the other mailer | shown by | held by |
|---|---|---|---|
`

// TestOtherMailers: the scripts and cases that the table names are there.
func TestOtherMailers(t *testing.T) {
	t.Parallel()
	for _, o := range others {
		for _, name := range []string{"../../findings/" + o[2] + ".sh", "../cli/testdata/cases/" + o[3] + ".case"} {
			if _, err := os.Stat(name); err != nil {
				t.Error(err)
			}
		}
	}
}
