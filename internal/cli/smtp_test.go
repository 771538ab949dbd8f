package cli

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// begin is how most dialogues begin. {MAIL} and {RCPT} are the usual commands, R is the recipient of a case.
const begin = "EHLO x\r\n{MAIL}\r\n{RCPT}\r\n"

// quit is how they end, with the reply's code.
const body, quit = "Subject: x\r\n\r\nhello\r\n", "QUIT\r\n"

// dialogues are what a client may say, what an SMTP server answers (RFC 5321, 1870, 2034, 3030, 3461), and how many
// messages come of it.
var dialogues = []struct {
	name, input, codes string
	messages           int
}{
	{"a message", begin + "DATA\r\n" + body + ".\r\n" + quit, "220 250 250 250 354 250 221", 1},
	{"lines that end in LF", strings.ReplaceAll(begin+"DATA\r\n"+body+".\r\n"+quit, "\r", ""),
		"220 250 250 250 354 250 221", 1},
	{"HELO", "HELO x\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 250 354 250 221", 1},
	{"no HELO", "{MAIL}\r\n{RCPT}\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 354 250 221", 1},
	{"RSET without HELO", "{MAIL}\r\nRSET\r\n{MAIL}\r\n" + quit, "220 250 250 250 221", 0},
	{"EHLO without a name", "EHLO\r\nHELO \r\nEHLO " + strings.Repeat("x", 300) + "\r\n" + quit,
		"220 501 501 501 221", 0},
	{"EHLO ends a transaction", "{MAIL}\r\nEHLO x\r\n{RCPT}\r\n{MAIL}\r\n" +
		"EHLO x\r\n{RCPT}\r\n" + quit, "220 250 250 503 250 250 503 221", 0},
	{"RCPT first", "EHLO x\r\n{RCPT}\r\nDATA\r\n" + quit, "220 250 503 503 221", 0},
	{"DATA without RCPT", "EHLO x\r\nDATA\r\n{MAIL}\r\nDATA\r\n" + quit, "220 250 503 250 503 221", 0},
	{"a second MAIL", begin + "MAIL FROM:<b@example.org>\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 250 503 354 250 221", 1},
	{"MAIL after a message", begin + "DATA\r\n" + body + ".\r\n{RCPT}\r\nDATA\r\n" + begin[8:] + quit,
		"220 250 250 250 354 250 503 503 250 250 221", 1},
	{"RSET", begin + "RSET\r\nDATA\r\n" + begin[8:] + "RSET\r\n" + quit, "220 250 250 250 250 503 250 250 250 221", 0},
	{"RSET at first", "RSET\r\nNOOP\r\n" + quit, "220 250 250 221", 0},
	{"arguments where there are none", "EHLO x\r\nRSET x\r\nQUIT now\r\n" + begin[8:] + "DATA x\r\n" + quit,
		"220 250 501 501 250 250 501 221", 0},
	{"trailing blanks", "EHLO x \r\nNOOP \t\r\nRSET\t\r\n{MAIL} \r\n{RCPT}  \r\nDATA \r\n" + body +
		".\r\nQUIT \r\n", "220 250 250 250 250 250 354 250 221", 1},
	{"unknown verbs", "EHLO x\r\nWHAT\r\nXCLIENT NAME=x\r\nLHLO x\r\n\r\n" +
		"MAILFROM:<a@example.org>\r\n NOOP\r\nNO\x00OP\r\n" +
		quit, "220 250 500 500 500 500 500 500 500 221", 0},
	{"verbs that are not done", "EHLO x\r\nEXPN staff\r\nTURN\r\nAUTH PLAIN\r\nSTARTTLS\r\nETRN x\r\n" + quit,
		"220 250 502 502 502 502 502 221", 0},
	{"verbs for any time", "NOOP\r\nNOOP x y\r\nHELP\r\nHELP MAIL\r\nVRFY\r\nVRFY root\r\n" + begin +
		"noop\r\nHELP\r\nVRFY root\r\nEXPN x\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 214 214 501 252 250 250 250 250 214 252 502 354 250 221", 1},
	{"bad paths", "EHLO x\r\nMAIL\r\nMAIL a@example.org\r\nMAIL FROM:\r\nMAIL FROM:<a@example.org\r\n" +
		"{MAIL}x\r\nMAIL FROM:<a@b@example.org>\r\nMAIL FROM:<a\x00@example.org>\r\n" +
		"MAIL FROM:<a\xff@example.org>\r\nMAIL TO:<R>\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT FROM:<R>\r\n" + quit,
		"220 250 501 501 501 501 501 501 501 501 501 250 501 501 221", 0},
	{"paths", "EHLO x\r\nMAIL FROM: <@relay.example:\"a b\"@example.org>\r\nrcpt to:R\r\nDATA\r\n" + body + ".\r\n" +
		quit,
		"220 250 250 250 354 250 221", 1},
	{"unknown parameters", "EHLO x\r\n{MAIL} FOO=1\r\n{MAIL} SIZE=1 BAR\r\n" +
		"{MAIL} NOTIFY=NEVER\r\n{MAIL}\r\n{RCPT} FOO=1\r\n" +
		"{RCPT} SIZE=1\r\n" + quit, "220 250 555 555 555 250 555 555 221", 0},
	{"bad parameters", "EHLO x\r\n{MAIL} SIZE=many\r\n{MAIL} SIZE\r\n" +
		"{MAIL} SIZE=-1\r\n{MAIL} BODY=9BIT\r\n{MAIL} RET=NO\r\n" +
		"{MAIL} ENVID=a+0Ab\r\n{MAIL} ENVID=a+2\r\n" +
		"{MAIL} SIZE=1 SIZE=2\r\n{MAIL}\r\n{RCPT} NOTIFY=NEVER,DELAY\r\n" +
		"{RCPT} NOTIFY=SOMETIMES\r\n{RCPT} ORCPT=R\r\n{RCPT} ORCPT=rfc822;a+0Db\r\n" + quit,
		"220 250 501 501 501 501 501 501 501 501 250 501 501 501 501 221", 0},
	{"parameters", "EHLO x\r\n{MAIL} SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>\r\n" +
		"{RCPT} NOTIFY=success,DELAY ORCPT=rfc822;a+2Bb@example.org\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 250 354 250 221", 1},
	{"any type of ORCPT", begin[:8] + "{MAIL}\r\n{RCPT} ORCPT=x400;/S+3Dsmith/\r\n" +
		"{RCPT} ORCPT=utf-8;\\x{E9}@example.org\r\nDATA\r\n" + body + ".\r\n" + quit,
		"220 250 250 250 250 354 250 221", 1},
	{"an impossible SIZE", "EHLO x\r\n{MAIL} SIZE=1048577\r\n{MAIL} SIZE=4294967296\r\n" +
		"{MAIL} SIZE=99999999999999999999\r\n{MAIL} SIZE=1048576\r\n" + quit,
		"220 250 552 552 552 250 221", 0},
	{"too large", begin + "DATA\r\nSubject: x\r\n\r\n" +
		strings.Repeat(strings.Repeat("x", 70)+"\r\n", 15000) + ".\r\nNOOP\r\n" +
		quit, "220 250 250 250 354 552 250 221", 0},
	{"an empty message", begin + "DATA\r\n.\r\n" + quit, "220 250 250 250 354 250 221", 1},
	{"an empty message, LF", strings.ReplaceAll(begin+"DATA\r\n.\r\n"+quit, "\r", ""), "220 250 250 250 354 250 221",
		1},
	{"an empty message by BDAT", begin + "BDAT 0 LAST\r\n" + quit, "220 250 250 250 250 221", 1},
	{"only an empty line", begin + "DATA\r\n\r\n.\r\n" + quit, "220 250 250 250 354 250 221", 1},
	{"chunks", begin +
		"BDAT 5\r\nSubjeBDAT 0\r\nBDAT 6\r\nct: x\rNOOP\r\nVRFY x\r\nBDAT 8 LAST\r\n\n\r\nhellobdat 1\r\nx" + quit,
		"220 250 250 250 250 250 250 250 252 250 503 221", 1},
	{"a chunk that ends without a line end", begin + "BDAT 19 last\r\nSubject: x\r\n\r\nhello" + quit,
		"220 250 250 250 250 221", 1},
	{"no transaction between chunks", begin + "BDAT 14\r\nSubject: x\r\n\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\n" +
		"BDAT 5 LAST\r\nhello" + quit, "220 250 250 250 250 503 503 503 250 221", 1},
	{"RSET between chunks", begin + "BDAT 14\r\nSubject: x\r\n\r\nRSET\r\nBDAT 5 LAST\r\nhello" +
		begin[8:] + "BDAT 14 LAST\r\n" +
		"Subject: x\r\n\r\n" + quit, "220 250 250 250 250 250 503 250 250 250 221", 1},
	{"EHLO between chunks", begin + "BDAT 14\r\nSubject: x\r\n\r\nEHLO y\r\n{RCPT}\r\n" + quit,
		"220 250 250 250 250 250 503 221", 0},
	{"QUIT between chunks", begin + "BDAT 14\r\nSubject: x\r\n\r\n" + quit, "220 250 250 250 250 221", 0},
	{"BDAT without RCPT", "EHLO x\r\nBDAT 6\r\nNOOP\r\n{MAIL}\r\nBDAT 6 LAST\r\nNOOP\r\n" + quit,
		"220 250 503 250 503 221", 0},
	{"BDAT after DATA", begin + "DATA\r\n" + body + ".\r\nBDAT 6 LAST\r\nNOOP\r\n" + quit,
		"220 250 250 250 354 250 503 221", 1},
	{"bad BDAT", begin + "BDAT\r\nBDAT x\r\nBDAT -1\r\nBDAT 6 FIRST\r\nNOOP\r\nBDAT 6 LAST x\r\nNOOP\r\nBDAT " +
		"19 LAST\r\n" +
		"Subject: x\r\n\r\nhello" + quit, "220 250 250 250 501 501 501 501 501 250 221", 1},
	{"a huge chunk", begin + "BDAT 99999999999999999999 LAST\r\nSubject: x\r\n", "220 250 250 250 552 421", 0},
	{"a chunk that is too large", begin + "BDAT 2000000 LAST\r\n" +
		strings.Repeat("NOOP\r\n", 333333) + "\r\nNOOP\r\n" + quit,
		"220 250 250 250 552 250 221", 0},
	{"a line that is too long", "EHLO x\r\nNOOP " + strings.Repeat("x", 100000) + "\r\nMAIL FROM:<" +
		strings.Repeat("x", 5000) + "@example.org>\r\nNOOP\r\n" + quit, "220 250 500 500 250 221", 0},
	{"8-bit and NUL", "EHLO x\r\nNOOP \xff\x00\r\nHELO \x00\r\nVRFY \xfc\r\n" + quit, "220 250 250 501 252 221", 0},
	{"dots and bare line ends", begin +
		"DATA\r\nSubject: x\r\n\r\n..\r\n\n.\nMAIL FROM:<e@example.org>\r.\r\n\r\n.\r\n" + quit,
		"220 250 250 250 354 250 221", 1},
	{"too many recipients", begin + "{RCPT}\r\n{RCPT}\r\n{RCPT}\r\n{RCPT}\r\nDATA\r\n" + body + ".\r\n" +
		quit, "220 250 250 250 250 250 452 452 354 250 221", 1},
	{"19 errors", strings.Repeat("WHAT\r\n", 19) + begin + quit,
		"220" + strings.Repeat(" 500", 19) + " 250 250 250 221", 0},
	{"20 errors", strings.Repeat("WHAT\r\n", 20) + begin + "DATA\r\n" + body + ".\r\n" + quit,
		"220" + strings.Repeat(" 500", 20) + " 421", 0},
	{"20 errors of all kinds", begin + strings.Repeat("MAIL\r\n{MAIL}\r\n{RCPT} FOO=1\r\nBDAT x\r\n", 5) +
		"DATA\r\n" + body + ".\r\n" + quit, "220 250 250 250" + strings.Repeat(" 503 503 555 501", 5) + " 421", 0},
}

// TestSMTP: an SMTP client gets the same answers, and has the same messages sent, on the standard input of
// sendmail -bs, at the agent's socket and over TCP.
func TestSMTP(t *testing.T) {
	t.Parallel()
	const extra = "[delivery]\nmessages_per_minute = 0\nwait = \"2m\"\nmax_recipients = 3\nmax_size = \"1MiB\"\n"
	h := newHost(t, "messages_per_minute_per_user = 0\n"+extra)
	direct := newSite(t)
	direct.writeConfig(t, direct.ConfigTOML(direct.dir)+"\n"+extra)
	for _, way := range []struct {
		name string
		to   *emulator.Emulator
		say  func(*testing.T, string) string
	}{
		{"-bs", direct.Emulator, func(t *testing.T, input string) string { return direct.run(input, "-bs").stdout }},
		{"-bs by the agent", h.Emulator, func(t *testing.T, input string) string {
			return h.call(strings.NewReader(input), "-bs").stdout
		}},
		{"socket", h.Emulator, func(t *testing.T, input string) string { return converse(t, "unix", h.socket, input) }},
		{"TCP", h.Emulator, func(t *testing.T, input string) string { return converse(t, "tcp", h.port, input) }},
	} {
		for i, c := range dialogues {
			t.Run(way.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				to := fmt.Sprintf("r%d-%s@example.org", i, strings.ReplaceAll(way.name, " ", ""))
				all := way.say(t, strings.NewReplacer("{MAIL}", "MAIL FROM:<a@example.org>", "{RCPT}",
					"RCPT TO:<"+to+">", ":R\r",
					":"+to+"\r", "<R>", "<"+to+">").Replace(c.input))
				if codes := replyCodes(t, all); codes != c.codes {
					t.Errorf("codes %s\nwant  %s\n%s", codes, c.codes, all)
				}
				arrived := func() (n int) {
					for _, m := range way.to.Messages() {
						if slices.Contains(m.Envelope.To, to) {
							n++
						}
					}
					return n
				}
				// A message to several comes by way of the queue.
				for end := time.Now().Add(30 * time.Second); arrived() < c.messages && time.Now().Before(end); {
					time.Sleep(10 * time.Millisecond)
				}
				if n := arrived(); n != c.messages {
					t.Errorf("%d messages, want %d\n%s", n, c.messages, all)
				}
			})
		}
	}
}

// replyLine is a line of a reply: all but the greeting, the replies to EHLO and HELO, and 354 have an enhanced code
// (RFC 2034 4) of the same class.
var replyLine = regexp.MustCompile(`^(\d\d\d)([- ])(\d\.\d{1,3}\.\d{1,3} )?\S`)

// replyCodes returns the codes of the replies.
func replyCodes(t *testing.T, all string) string {
	t.Helper()
	var codes []string
	hello := false
	for line := range strings.SplitSeq(strings.TrimSuffix(all, "\r\n"), "\r\n") {
		m := replyLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a line of a reply: %q", line)
			continue
		}
		hello = hello || strings.HasPrefix(line[4:], "Hello ")
		if bare := m[1] == "220" || m[1] == "354" || hello; !bare && (m[3] == "" || m[3][0] != line[0]) {
			t.Errorf("no enhanced code in %q", line)
		}
		if m[2] == " " {
			codes, hello = append(codes, m[1]), false
		}
	}
	return strings.Join(codes, " ")
}

// converse sends input in one flight and returns all that is answered.
func converse(t *testing.T, network, addr, input string) string {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	go func() { _, _ = io.WriteString(c, input) }()
	all, err := io.ReadAll(c)
	if err != nil && len(all) == 0 {
		t.Error(err)
	}
	return string(all)
}

// TestSMTPFlights: replies to commands that came together go together (RFC 2920 3.2).
func TestSMTPFlights(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	const group = "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT " +
		"TO:<c@example.org>\r\nDATA\r\n"
	for network, addr := range map[string]string{"unix": h.socket, "tcp": h.port} {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		b := make([]byte, 4096)
		if n, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "220 ") {
			t.Fatalf("%s: %q, %v", network, b[:n], err)
		}
		if _, err := io.WriteString(c, group); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(b)
		if codes := replyCodes(t, string(b[:n])); err != nil || codes != "250 250 250 250 354" {
			t.Errorf("%s: %s, %v", network, codes, err)
		}
		c.Close()
	}
	s, out := newSite(t), &flights{}
	Main(t.Context(), Env{Args: []string{"sendmail", "-bs"}, Stdin: strings.NewReader(group + ".\r\n" + quit),
		Stdout: out,
		Stderr: io.Discard, Now: time.Now, UID: noUser, Getenv: func(name string) string {
			return map[string]string{"O365_SENDMAIL_CONFIG": s.config}[name]
		}})
	if out.n > 3 || !strings.HasSuffix(out.all.String(), "\r\n221 2.0.0 Bye\r\n") {
		t.Errorf("-bs: %d writes\n%s", out.n, out.all.String())
	}
}

// flights counts writes.
type flights struct {
	n   int
	all strings.Builder
}

func (f *flights) Write(p []byte) (int, error) {
	f.n++
	return f.all.Write(p)
}
