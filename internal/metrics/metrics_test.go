package metrics

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

func sampleState() deliver.State {
	now := time.Unix(1800000000, 0)
	return deliver.State{
		Now: now, Oldest: now.Add(-90 * time.Second), Spool: spool.Stats{Messages: 10, Bytes: 12345, Failed: 1},
		Report: queue.Report{
			Started: now.Add(-time.Hour), Running: true, Ready: 3, Waiting: 2, Held: 1, InFlight: 4,
			Stops: []queue.Stop{{Held: true, Key: "sign-in-refused", Mailbox: `a"b\c` + "\n@x"}, {Key: "dns"}},
			Mailboxes: []queue.MailboxReport{{Name: "noreply@contoso.test", Sessions: 2, LastMinute: 30,
				PacedUntil: now.Add(20 * time.Second)}},
		},
		Counters: deliver.Counters{Sent: 7, Paused: 1500 * time.Millisecond},

		TokenObtained: now.Add(-10 * time.Minute), TokenExpires: now.Add(50 * time.Minute),
		Expiries: []deliver.Expiry{{What: "the client secret", Ends: now.Add(36 * time.Hour)}},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	s := sampleState()
	uid := 33
	s.Stops = append(s.Stops, queue.Stop{Key: "refusals-in-a-row", Mailbox: "m@x", UID: &uid},
		queue.Stop{Key: "send-as-denied", Mailbox: "m@x", Author: "b@y"})
	got := string(Render(&s))
	for _, want := range []string{
		`o365_sendmail_queue_messages{state="ready"} 3`,
		`o365_sendmail_queue_oldest_seconds 90`,
		`o365_sendmail_spool_bytes 12345`,
		`o365_sendmail_sent_recipients_total 7`,
		`o365_sendmail_stopped_seconds_total 1.5`,
		`o365_sendmail_stopped{kind="held",fault="sign-in-refused",mailbox="a\"b\\c\n@x",sender=""} 1`,
		`o365_sendmail_stopped{kind="paused",fault="dns",mailbox="",sender=""} 1`,
		`o365_sendmail_stopped{kind="paused",fault="refusals-in-a-row",mailbox="m@x",sender="",user="33"} 1`,
		`o365_sendmail_stopped{kind="paused",fault="send-as-denied",mailbox="m@x",sender="b@y"} 1`,
		`o365_sendmail_held 1`,
		`o365_sendmail_sessions{mailbox="noreply@contoso.test"} 2`,
		`o365_sendmail_paced_seconds{mailbox="noreply@contoso.test"} 20`,
		`o365_sendmail_token_left_seconds 3000`,
		`o365_sendmail_credential_left_days{what="the client secret"} 1.5`,
		`o365_sendmail_up 1`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	checkFormat(t, got)
	checkFormat(t, string(Render(&deliver.State{Now: time.Unix(0, 0)})))
}

// checkFormat holds a text against the exposition format: every sample follows the type of its
// metric, names come once, values are numbers.
func checkFormat(t *testing.T, text string) {
	t.Helper()
	current, seen := "", map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if after, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(after, " ")
			if seen[name] || kind != "gauge" && kind != "counter" {
				t.Errorf("%s", line)
			}
			if strings.HasSuffix(name, "_total") != (kind == "counter") {
				t.Errorf("%s: a counter's name ends in _total", line)
			}
			current, seen[name] = name, true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		name, _, _ := strings.Cut(line[:max(cut, 0)], "{")
		if _, err := strconv.ParseFloat(line[cut+1:], 64); err != nil || name != current {
			t.Errorf("bad line %q after %q", line, current)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "o365.prom")
	var warned []error
	write := Writer(path, func(err error) { warned = append(warned, err) })
	write(sampleState())
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "o365_sendmail_up 1") {
		t.Errorf("%s, %v", b, err)
	}
	if fi, _ := os.Stat(path); fi.Mode().Perm() != fileMode {
		t.Errorf("mode %v", fi.Mode())
	}
	bad := Writer(filepath.Join(dir, "none", "x"), func(err error) { warned = append(warned, err) })
	bad(sampleState())
	bad(sampleState())
	if len(warned) != 1 || !errors.Is(warned[0], os.ErrNotExist) {
		t.Errorf("warned %v", warned)
	}
}
