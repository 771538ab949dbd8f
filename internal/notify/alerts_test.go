package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
)

// TestLook: what is said of conditions that begin, last, come again and end, and across restarts.
func TestLook(t *testing.T) {
	t.Parallel()
	held := Condition{Name: "app|secret-expired", Kind: Held, Key: "secret-expired", What: "all mail",
		Reason: "it has expired"}
	soon := Condition{Name: "secret|2030", Kind: Expiry, What: "the client secret", Step: 14}
	nearer := soon
	nearer.Step = 7
	gone := soon
	gone.Step = 0
	day := 24 * time.Hour
	type look struct {
		after time.Duration
		in    []Condition
		want  string // the subjects
	}
	const restart, full, room, quiet = -1, -2, -3, -4 // special values of after
	for name, looks := range map[string][]look{
		"once": {{0, []Condition{held}, "Mail is held: secret-expired"}, {time.Minute, []Condition{held}, ""},
			{time.Hour, nil, "Mail is delivered again: secret-expired"}, {time.Hour, nil, ""}},
		"several with a name": {{0, []Condition{held, held}, "Mail is held: secret-expired"}},
		"a day later": {{0, []Condition{held}, "Mail is held: secret-expired"},
			{day, []Condition{held}, "Mail is still held: secret-expired"}},
		"comes and goes": {{0, []Condition{held}, "Mail is held: secret-expired"},
			{time.Hour, nil, "Mail is delivered again: secret-expired"},
			{time.Hour, []Condition{held}, ""}, {time.Hour, nil, ""}, {2 * day, nil, ""},
			{0, []Condition{held}, "Mail is held: secret-expired"}},
		"a restart is no news": {{0, []Condition{held}, "Mail is held: secret-expired"}, {restart, nil, ""},
			{time.Minute, nil, ""},
			{time.Minute, []Condition{held}, ""}, {time.Minute, nil, "Mail is delivered again: secret-expired"}},
		"over by the time of the restart": {{0, []Condition{held}, "Mail is held: secret-expired"}, {restart, nil, ""},
			{time.Minute, nil, ""}, {quiet, nil, ""}, {time.Hour, nil, "Mail is no longer held: secret-expired"}},
		"a pause and a spool that fills": {{0, []Condition{{Name: "p", Kind: Paused, Key: "throttled"},
			{Name: "s", Kind: SpoolFull}},
			"Mail waits: throttled, The spool takes no mail"}, {time.Hour, []Condition{{Name: "s", Kind: SpoolFull}},
			"Mail is delivered again: throttled"},
			{time.Hour, nil, "The spool takes mail again"}},
		"the disk is full": {{full, nil, ""}, {0, []Condition{held}, ""}, {room, nil, ""},
			{time.Minute, []Condition{held}, "Mail is held: secret-expired"}},
		"expiry": {{0, []Condition{soon}, "The client secret expires in 14 days"}, {5 * day, []Condition{soon}, ""},
			{restart, nil, ""},
			{day, []Condition{nearer}, "The client secret expires in 8 days"},
			{day, []Condition{gone}, "The client secret has expired"},
			{day, nil, "The client secret is no longer about to expire"}, {day, nil, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			ends := now.Add(14*day + time.Hour)
			var got []string
			var fault error
			settled := true
			start := func() *Notifier {
				n := New(Options{Now: func() time.Time { return now }, Warn: func(error) {},
					Log: maillog.New(maillog.Options{To: "stderr", Format: "text", Stderr: io.Discard}),
					Submit: func(_ string, _ *envelope.Envelope, m envelope.Message, _ string) error {
						if fault == nil {
							_, s, _ := strings.Cut(string(m.(Text)), "\r\nSubject: ")
							s, _, _ = strings.Cut(s, " (web1)")
							got = append(got, s)
						}
						return fault
					}})
				n.Configure(Config{Host: "web1", AlertTo: "it@contoso.test", From: "noreply@contoso.test"})
				return n
			}
			n := start()
			for i, l := range looks {
				switch l.after {
				case restart:
					m := stored(t, n.Memory())
					n = start()
					n.Remember(m)
					settled = false
					continue
				case quiet:
					settled = true
					continue
				case full, room:
					fault = map[time.Duration]error{full: errors.New("no space left on device")}[l.after]
					continue
				}
				now, got = now.Add(l.after), nil
				in := slices.Clone(l.in)
				for k := range in {
					in[k].Since = now
					if in[k].Kind == Expiry {
						in[k].Ends = ends
					}
				}
				n.Look(in, settled)
				if s := strings.Join(got, ", "); s != l.want {
					t.Errorf("look %d: %q, want %q", i, s, l.want)
				}
			}
		})
	}
}

// stored is a memory as the next run finds it.
func stored(t *testing.T, m Memory) (s Memory) {
	t.Helper()
	text, err := json.Marshal(m)
	if err = cmp.Or(err, json.Unmarshal(text, &s)); err != nil {
		t.Fatal(err)
	}
	return s
}
