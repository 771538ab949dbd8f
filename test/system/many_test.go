//go:build system

package system

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbered returns the addresses prefix0@example.org and so on.
func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%d@example.org", prefix, i)
	}
	return all
}

var ways = []string{"direct", "direct with a spool", "agent", "front"}

// TestAnyNumberOfRecipients: any number of recipients gets the message once each, on every route, by transactions of
// at most delivery.max_recipients.
func TestAnyNumberOfRecipients(t *testing.T) {
	t.Parallel()
	all := numbered("r", 1200)
	calls := map[string]func(*route) result{
		"arguments": func(r *route) result { return r.send(t, plainText, append([]string{"-i"}, all...)...) },
		"-t": func(r *route) result {
			return r.send(t, "To: "+strings.Join(all, ",\n ")+"\n"+plainText,
				"-t", "-i")
		},
		"both": func(r *route) result {
			return r.send(t, "Bcc: "+strings.Join(all[:700], ",\n ")+"\n"+plainText,
				append([]string{"-t", "-i"}, all[500:]...)...)
		},
	}
	for _, way := range ways {
		for name, call := range calls {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newRoute(t, way, "")
				if got := call(r); got.code != 0 || got.stderr != "" {
					t.Errorf("%v", got)
				}
				r.settle(t, 3)
				once(t, r, all, nil)
			})
		}
	}
}

// once fails unless each of to got the message once, nobody else did, and a report or the call's words name each of
// told.
func once(t *testing.T, r *route, to, told []string, words ...string) {
	t.Helper()
	count := map[string]int{}
	text := strings.Join(words, "")
	for _, m := range r.arrived() {
		if strings.Contains(string(m.Data), "report-type=delivery-status") {
			text += string(m.Data)
			continue
		}
		if len(m.Recipients) > 500 {
			t.Errorf("%d recipients in one transaction", len(m.Recipients))
		}
		for _, rc := range m.Recipients {
			count[rc.Address]++
		}
	}
	for _, a := range to {
		if count[a] != 1 {
			t.Errorf("%s got it %d times", a, count[a])
		}
		delete(count, a)
	}
	if len(count) > 0 {
		t.Errorf("others got it, too: %v", count)
	}
	for _, a := range told {
		if !strings.Contains(text, a) {
			t.Errorf("nobody is told about %s", a)
		}
	}
}

// TestManyRecipientsSomeRefused: of many recipients each refused one is told, by the call or by mail.
func TestManyRecipientsSomeRefused(t *testing.T) {
	t.Parallel()
	good, bad := numbered("r", 800), numbered("reject-", 12)
	// The first transaction is of good ones alone, and of the bad ones some are in each of the others.
	to := slices.Concat(good[:500], bad[:6], good[500:790], bad[6:], good[790:])
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := newRoute(t, way, "")
			got := r.send(t, plainText, append([]string{"-i"}, to...)...)
			if want := map[bool]int{true: 67}[way == "direct"]; got.code != want {
				t.Errorf("%.300v, want exit code %d", got, want)
			}
			reports := 1
			if way == "direct" {
				reports = 0
			}
			r.settle(t, 2+reports)
			once(t, r, good, bad, got.stderr)
		})
	}
}

// TestManyRecipientsCutShort: without a spool a call whose second transaction fails says, in one line, how many
// and who did not get the message.
func TestManyRecipientsCutShort(t *testing.T) {
	t.Parallel()
	r := newRoute(t, "direct", "")
	rule := *atDot
	rule.After, rule.Reply = 1, "451 4.7.0 Temporary server error. Please try again later"
	must(t, r.emulator.Script(rule))
	all := numbered("r", 1200)
	got := r.send(t, plainText, append([]string{"-i"}, all...)...)
	want := "the message went to 500 recipients, but not to 700 others (r500@example.org, r501@example.org, " +
		"r502@example.org and 697 more): "
	if got.code != 75 || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, want) {
		t.Errorf("%v, want exit code 75 and %q", got, want)
	}
	once(t, r, all[:500], nil)
}

// TestManyRecipientsBound: what is beyond delivery.max_recipients_per_call is refused as a whole.
func TestManyRecipientsBound(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := newRoute(t, way, "max_recipients = 2\nmax_recipients_per_call = 5\n")
			got := r.send(t, plainText, append([]string{"-i"}, numbered("r", 6)...)...)
			if got.code != 65 || strings.Count(got.stderr, "\n") != 1 ||
				!strings.Contains(got.stderr,
					"6 recipients are more than delivery.max_recipients_per_call allows (5)") {
				t.Errorf("%v", got)
			}
			if got := r.send(t, plainText, append([]string{"-i"}, numbered("r", 5)...)...); got.code != 0 {
				t.Errorf("%v", got)
			}
			r.settle(t, 3)
			once(t, r, numbered("r", 5), nil)
		})
	}
}

// TestForeignRecipientLimit: clients that speak SMTP are told the limit of a transaction, at the socket and by -bs.
func TestForeignRecipientLimit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("EHLO x\r\nMAIL FROM:<www-data@web1.example>\r\n")
	for _, a := range numbered("r", 502) {
		b.WriteString("RCPT TO:<" + a + ">\r\n")
	}
	b.WriteString("DATA\r\n" + strings.ReplaceAll(plainText, "\n", "\r\n") + ".\r\nQUIT\r\n")
	for _, way := range []string{"direct", "agent", "front", "socket"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			over := way
			if way == "socket" {
				over = "agent"
			}
			r := newRoute(t, over, "")
			said := ""
			if way == "socket" {
				said = r.speak(t, b.String())
			} else {
				got := r.send(t, b.String(), "-bs")
				if said = got.stdout; got.code != 0 {
					t.Errorf("%v", got)
				}
			}
			if !strings.Contains(said, "LIMITS RCPTMAX=500\r\n") || strings.Count(said, "\n452 4.5.3 ") != 2 ||
				strings.Count(said, "250 2.1.5 ") != 500 {
				t.Errorf("the dialogue: %s", said)
			}
			r.settle(t, 1)
			once(t, r, numbered("r", 500), nil)
		})
	}
}

// speak holds a dialogue at the agent's socket.
func (r *route) speak(t *testing.T, input string) string {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(r.run, "submit.sock"))
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	go func() { _, _ = c.Write([]byte(input)) }()
	var out strings.Builder
	for lines := bufio.NewScanner(c); lines.Scan(); {
		out.WriteString(lines.Text() + "\r\n")
	}
	return out.String()
}
