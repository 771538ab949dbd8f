package historyview

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"o365-sendmail/internal/history"
)

// sums are statistics with numbers of every size, and a user who writes markup and commands for a terminal.
func sums(days int) *history.Stats {
	until := time.Date(2026, 12, 1, 12, 30, 0, 0, time.UTC)
	s := &history.Stats{Since: until.Truncate(24*time.Hour).AddDate(0, 0, 1-days), Until: until, Bytes: 123456789}
	for i := range days {
		s.Days = append(s.Days, history.Day{Date: s.Since.AddDate(0, 0, i).Format(time.DateOnly),
			Counts: history.Counts{Sent: int64(i * i * 37), Bounced: int64(i % 3)}})
	}
	s.Hours[3] = history.Counts{Sent: 1234567, Refused: 1}
	s.Today, s.All = s.Hours[3], history.Counts{Sent: 7654321, Refused: 3, Bounced: 4, Expired: 1, Failed: 2}
	s.Users = []history.User{{UID: 33, Name: "www-data", Counts: s.All},
		{UID: 66, Name: "<script>alert(1)</script>\"'&\x1b[2J\n", Counts: history.Counts{Sent: 1}},
		{UID: -1, Counts: history.Counts{Failed: 1}}}
	s.Others = &history.Counts{Sent: 9}
	s.Delays = []history.Delay{{Seconds: 1, Sent: 99}, {Seconds: 60, Sent: 3}, {Seconds: 86400}, {Sent: 1}}
	return s
}

var pageFile = flag.String("page", "", "write the page of a made-up host to this file, for pictures")

// month is a made-up host's: quiet at the weekend, with one day on which a list had old addresses.
func month() *history.Stats {
	until := time.Date(2026, 11, 30, 16, 20, 0, 0, time.UTC)
	s := &history.Stats{Since: until.Truncate(24*time.Hour).AddDate(0, 0, -29), Until: until}
	for i := range 30 {
		day := s.Since.AddDate(0, 0, i)
		c := history.Counts{Sent: int64(310 + i*i*7%230), Refused: int64(i % 4), Bounced: int64(i * 3 % 7)}
		if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			c.Sent /= 6
		}
		if i == 16 {
			c.Bounced, c.Expired = 171, 12
		}
		s.Days = append(s.Days, history.Day{Date: day.Format(time.DateOnly), Counts: c})
		for k := range history.Statuses {
			*s.All.Of(k) += *c.Of(k)
		}
	}
	s.Bytes = s.All.Sent * 41_370
	left := s.Days[29].Counts
	s.Today = left
	for h, part := range []int64{1, 1, 1, 4, 1, 2, 6, 8, 14, 12, 11, 9, 5, 8, 9, 7, 1} {
		s.Hours[h].Sent = left.Sent * part / 100
	}
	s.Hours[9].Refused, s.Hours[14].Bounced = left.Refused, left.Bounced
	rest := s.All
	for _, u := range []struct {
		uid  int
		name string
		part int64
	}{{33, "www-data", 58}, {1001, "invoices", 21}, {0, "root", 12}, {109, "icinga", 6}, {-1, "", 3}} {
		s.Users = append(s.Users, history.User{UID: u.uid, Name: u.name, Counts: history.Counts{
			Sent: rest.Sent * u.part / 100, Refused: rest.Refused * u.part / 100, Bounced: rest.Bounced * u.part / 100}})
	}
	for i, d := range []float64{1, 10, 60, 600, 3600, 86400, 0} {
		s.Delays = append(s.Delays, history.Delay{Seconds: d, Sent: s.All.Sent * []int64{71, 24, 3, 1, 1, 0, 0}[i] / 100})
	}
	return s
}

func TestPage(t *testing.T) {
	t.Parallel()
	if *pageFile != "" {
		var b bytes.Buffer
		if err := errors.Join(Page(&b, month(), "web1.example.org"), os.WriteFile(*pageFile, b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*history.Stats{month(), sums(30), sums(1), {Days: []history.Day{{Date: "2026-12-01"}}, Damaged: 3}} {
		var b bytes.Buffer
		if err := Page(&b, s, "web1<b>"); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, bad := range []string{"<script", "<b>", "\x1b", "http:", "https:", "url(", "src=", "href=", "style=", "onload"} {
			if strings.Contains(text, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
		if !strings.Contains(text, "default-src 'none'; style-src 'sha256-") {
			t.Error("no content security policy")
		}
		// Each element ends, and attributes are quoted, or an XML parser would find a fault.
		text = regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(text, "")
		d := xml.NewDecoder(strings.NewReader(regexp.MustCompile("<meta ([^>]*)>").ReplaceAllString(text, "<meta $1/>")))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
		if got, want := strings.Count(text, "<rect class=\"sent\""), strings.Count(text, "<rect"); got == 0 && want > 20 {
			t.Errorf("%d of %d", got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, screen := range []Screen{{}, {Width: 80, Unicode: true}, {Width: 200}, {Width: 50}, {Width: 20}} {
		for _, s := range []*history.Stats{sums(30), sums(1)} {
			var b bytes.Buffer
			if err := Text(&b, s, screen); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				n := utf8.RuneCountInString(strings.TrimRight(line, "\n"))
				if most := max(screen.Width, 66); screen.Width > 0 && n > most || strings.ContainsAny(line, "\x1b\r") {
					t.Errorf("width %d: %d columns in %q", screen.Width, n, line)
				}
				if !screen.Unicode && strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Errorf("not ASCII: %q", line)
				}
			}
			if !strings.Contains(b.String(), "1,234,567") || !strings.Contains(b.String(), "x ") == !screen.Unicode {
				t.Errorf("%+v:\n%s", screen, b.String())
			}
		}
	}
	var b bytes.Buffer
	if err := Text(&b, sums(2), Screen{Width: 80, Color: true}); err != nil || !strings.Contains(b.String(), "\x1b[32m#") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, e := range []history.Entry{
		{Time: at, ID: "1", UID: 33, User: "www-data", Sender: "a@b", Origin: "www@web1", Recipient: "c@d", Status: "sent",
			MessageID: "m@x", Size: 4711, Delay: 1.26, Enhanced: "2.0.0", Reply: "[x]"},
		{Time: at, ID: "2", UID: -1, Recipient: "\x1b[2J\n", Status: "bounced"},
	} {
		if err := Line(&b, &e); err != nil {
			t.Fatal(err)
		}
	}
	want := "2026-12-01 12:00:00  sent     a@b (www@web1) -> c@d  user=www-data id=1 message-id=m@x size=4711 delay=1.3 " +
		"dsn=2.0.0 ([x])\n" +
		`2026-12-01 12:00:00  bounced  MAILER-DAEMON -> \x1b[2J\n  user=- id=2 delay=0.0` + "\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 0 B", 999: "999 999 B", 1000: "1,000 1 kB", 999999: "999,999 1 MB",
		1234567: "1,234,567 1.23 MB", 1e15: "1,000,000,000,000,000 1e+03 TB"} {
		if got := fmt.Sprintf("%s %s", grouped(n), size(n)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for s, want := range map[float64]string{0: "later", 1: "1 s", 60: "1 min", 86400: "24 h"} {
		if got := within(s); got != want {
			t.Errorf("%g: %s", s, got)
		}
	}
}
