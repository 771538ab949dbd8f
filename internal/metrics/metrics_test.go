package metrics

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/spool"
)

func sampleSnapshot() *Snapshot {
	now := time.Unix(1800000000, 0)
	s := &Snapshot{Version: "1.2.3", Read: now.Add(-2 * time.Hour), ReadFailed: true, State: deliver.State{
		Now: now, Oldest: now.Add(-90 * time.Second), Spool: spool.Stats{Messages: 10, Bytes: 12345, Failed: 1},
		Report: queue.Report{
			Started: now.Add(-time.Hour), Running: true, Ready: 3, Waiting: 2, Held: 1, InFlight: 4,
			Stops: []queue.Stop{{Held: true, Key: "sign-in-refused", Mailbox: "m@x"},
				{Held: true, Key: "sign-in-refused", Mailbox: "n@x"}, {Key: "dns"}},
			Mailboxes: []queue.MailboxReport{{Name: "m@x", Sessions: 2, LastMinute: 30, LastDay: 5,
				PacedUntil: now.Add(20 * time.Second)}, {Name: "n@x", Sessions: 1, LastDay: 70}},
		},
		PerDay: 10000, Counters: deliver.Counters{Sent: 7, Paused: 1500 * time.Millisecond},

		TokenObtained: now.Add(-10 * time.Minute), TokenExpires: now.Add(50 * time.Minute),
		Expiries: []deliver.Expiry{{What: "the client secret", Ends: now.Add(36 * time.Hour)}},
	}}
	s.Fleet = &Fleet{Mode: deliver.ModeShare, Hosts: 20, Counts: quota.Counts{Waits: [...]int{5, 0, 1, 0, 0, 0, 0, 2},
		Waited: 700.5, Refused: 9}}
	d := &s.Counters.Delays
	d.Buckets[0], d.Buckets[2], d.Buckets[len(deliver.DelayBounds)], d.Sum = 4, 2, 1, 90000.5
	return s
}

func TestRender(t *testing.T) {
	t.Parallel()
	got := string(Render(sampleSnapshot()))
	for _, want := range []string{
		`o365_sendmail_build_info{version="1.2.3",goversion="` + runtime.Version() + `"} 1`,
		`o365_sendmail_config_last_reload_successful 0`,
		`o365_sendmail_config_last_reload_success_timestamp_seconds 1799992800`,
		`o365_sendmail_account_state{state="held"} 1`,
		`o365_sendmail_account_state{state="delivering"} 0`,
		`o365_sendmail_queue_messages{state="ready"} 3`,
		`o365_sendmail_queue_oldest_seconds 90`,
		`o365_sendmail_spool_bytes 12345`,
		`o365_sendmail_sent_recipients_total 7`,
		`o365_sendmail_stopped_seconds_total 1.5`,
		`o365_sendmail_stopped{kind="held",fault="sign-in-refused"} 2`,
		`o365_sendmail_stopped{kind="paused",fault="dns"} 1`,
		`o365_sendmail_held 2`,
		`o365_sendmail_sessions 3`,
		`o365_sendmail_last_minute_messages 30`,
		`o365_sendmail_last_day_recipients 70`,
		`o365_sendmail_day_recipients_limit 10000`,
		`o365_sendmail_paced_seconds 20`,
		`o365_sendmail_token_expiry_timestamp_seconds 1800003000`,
		`o365_sendmail_credential_expiry_timestamp_seconds{credential="the client secret"} 1800129600`,
		`o365_sendmail_delivery_delay_seconds_bucket{le="0.25"} 4`,
		`o365_sendmail_delivery_delay_seconds_bucket{le="0.5"} 4`,
		`o365_sendmail_delivery_delay_seconds_bucket{le="1"} 6`,
		`o365_sendmail_delivery_delay_seconds_bucket{le="86400"} 6`,
		`o365_sendmail_delivery_delay_seconds_bucket{le="+Inf"} 7`,
		`o365_sendmail_delivery_delay_seconds_sum 90000.5`,
		`o365_sendmail_delivery_delay_seconds_count 7`,
		`o365_sendmail_message_size_bytes_bucket{le="1048576"} 0`,
		`o365_sendmail_up 1`,
		`o365_sendmail_fleet_reachable 0`,
		`o365_sendmail_fleet_mode{mode="fleet"} 0`,
		`o365_sendmail_fleet_mode{mode="share"} 1`,
		`o365_sendmail_fleet_hosts 20`,
		`o365_sendmail_fleet_slot_wait_seconds_bucket{le="0.1"} 5`,
		`o365_sendmail_fleet_slot_wait_seconds_bucket{le="300"} 6`,
		`o365_sendmail_fleet_slot_wait_seconds_count 8`,
		`o365_sendmail_fleet_slot_wait_seconds_sum 700.5`,
		`o365_sendmail_fleet_tokens_refused_total 9`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") && !strings.HasPrefix(got, want) {
			t.Errorf("no line %s", want)
		}
	}
	checkFormat(t, got)
	checkFormat(t, string(Render(&Snapshot{State: deliver.State{Now: time.Unix(0, 0)}})))
}

// TestNamesNobody: the text has no user and no address, whatever the state names and however it is spelled.
func TestNamesNobody(t *testing.T) {
	t.Parallel()
	s := sampleSnapshot()
	uid := 4711
	s.Stops = append(s.Stops, queue.Stop{Key: "refusals-in-a-row", Mailbox: "m@x", UID: &uid, Reason: "alice is slow"},
		queue.Stop{Key: "send-as-denied", Mailbox: "m@x", Author: "b@y"}, queue.Stop{Key: "k", Sender: "c@z"},
		queue.Stop{Key: "a\"b\\c\n\xff} 1", Remedy: "m@x"})
	got := string(Render(s))
	checkFormat(t, got)
	for _, bad := range []string{"@", "4711", "alice"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is in the text", bad)
		}
	}
	if want := `{kind="paused",fault="a\"b\\c\n?} 1"} 1` + "\n"; !strings.Contains(got, want) {
		t.Errorf("no %s", want)
	}
}

func TestAccountState(t *testing.T) {
	t.Parallel()
	uid := 33
	own := []queue.Stop{{Held: true, Sender: "a@x"}, {Held: true, Author: "a@x"}, {Held: true, Outside: true},
		{Held: true, UID: &uid}}
	for name, c := range map[string]struct {
		broken bool
		stops  []queue.Stop
	}{
		"delivering":   {false, own},
		"paused":       {false, []queue.Stop{{Key: "dns"}}},
		"held":         {false, []queue.Stop{{Held: true, Mailbox: "m@x"}, {Key: "dns"}}},
		"unconfigured": {true, []queue.Stop{{Key: "dns"}}},
	} {
		s := &Snapshot{Broken: c.broken}
		s.Stops = c.stops
		if got := string(Render(s)); !strings.Contains(got, `_account_state{state="`+name+`"} 1`) ||
			strings.Count(got, "_account_state{") != 4 || strings.Count(got, `"} 1`+"\n") < 2 {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// checkFormat holds a text against the exposition format: every sample follows the type of its
// metric, names come once, values are numbers, a histogram is whole.
func checkFormat(t *testing.T, text string) {
	t.Helper()
	current, kind, seen := "", "", map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if after, ok := strings.CutPrefix(line, "# TYPE "); ok {
			current, kind, _ = strings.Cut(after, " ")
			if seen[current] || !slices.Contains([]string{counter, gauge, histogram}, kind) {
				t.Errorf("%s", line)
			}
			if strings.HasSuffix(current, "_total") != (kind == counter) {
				t.Errorf("%s: a counter's name ends in _total", line)
			}
			seen[current] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		name, _, _ := strings.Cut(line[:max(cut, 0)], "{")
		if kind == histogram {
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		}
		if _, err := strconv.ParseFloat(line[cut+1:], 64); err != nil || name != current {
			t.Errorf("bad line %q after %q", line, current)
		}
	}
	for _, must := range Table() {
		if strings.HasPrefix(must.Name, "fleet_") && !strings.Contains(text, "_fleet_") {
			continue // a host in none
		}
		if !seen[must.FullName()] && must.Type != gauge {
			t.Errorf("%s is missing, of %v", must.FullName(), slices.Sorted(maps.Keys(seen)))
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "o365.prom")
	var warned []error
	write := Writer(path, func(err error) { warned = append(warned, err) })
	text := Render(sampleSnapshot())
	write(text)
	if b, err := os.ReadFile(path); err != nil || string(b) != string(text) {
		t.Errorf("%s, %v", b, err)
	}
	if fi, _ := os.Stat(path); fi.Mode().Perm() != fileMode {
		t.Errorf("mode %v", fi.Mode())
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	Writer(pipe, nil)(nil)
	if fi, err := os.Lstat(pipe); err != nil || fi.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe has become %v, %v", fi, err)
	}
	bad := Writer(filepath.Join(dir, "none", "x"), func(err error) { warned = append(warned, err) })
	bad(text)
	bad(text)
	if len(warned) != 1 || !errors.Is(warned[0], os.ErrNotExist) {
		t.Errorf("warned %v", warned)
	}
}
