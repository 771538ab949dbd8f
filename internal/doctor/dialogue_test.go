package doctor

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// peer answers a dialogue with fixed bytes.
func peer(t testing.TB, says string) *dialogue {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	return &dialogue{conn: ours, br: bufio.NewReaderSize(strings.NewReader(says), 4096), timeout: 5 * time.Second}
}

func TestRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		says     string
		code     int
		enhanced string
		text     string
		bad      bool
	}{
		{"250 2.1.0 Sender OK\r\n", 250, "2.1.0", "Sender OK", false},
		{"250-one\r\n250-SIZE 1\r\n250 two\r\n", 250, "", "one SIZE 1 two", false},
		{"220\r\n", 220, "", "", false},
		{"334 \r\n", 334, "", "", false},
		{"430 4.2.0 STOREDRV\n", 430, "4.2.0", "STOREDRV", false},
		{"250-one\r\n251 two\r\n", 0, "", "", true},
		{"HTTP/1.1 200 OK\r\n", 0, "", "", true},
		{"12\r\n", 0, "", "", true},
		{"250 no end", 0, "", "", true},
		{"250 2.1000.0 no code\r\n", 250, "", "2.1000.0 no code", false},
		{strings.Repeat("250-x\r\n", 200) + "250 x\r\n", 0, "", "", true},
		{"250 " + strings.Repeat("x", 9000) + "\r\n", 0, "", "", true},
	}
	for _, tt := range tests {
		r, err := peer(t, tt.says).cmd("NOOP")
		if (err != nil) != tt.bad || err == nil && (r.Code != tt.code || r.Enhanced != tt.enhanced ||
			r.Text() != tt.text) {
			t.Errorf("%.40q: %+v, %v", tt.says, r, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "535 5.7.3 Authentication unsuccessful\r\n", "\r\n", "999", "250-\r\n", "220 \x1b[2J\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, says string) {
		d := &dialogue{conn: nothing{}, br: bufio.NewReaderSize(strings.NewReader(says), 4096), timeout: time.Second}
		r, err := d.read()
		if err == nil && (r.Code < 200 || r.Code > 999 || len(r.Lines) == 0) {
			t.Errorf("%q: %+v", says, r)
		}
		if s := r.String(); strings.ContainsAny(s, "\r\n\x1b\x00") {
			t.Errorf("%q is shown as %q", says, s)
		}
	})
}

// nothing is a connection that nobody reads from.
type nothing struct{ net.Conn }

func (nothing) SetDeadline(time.Time) error { return nil }

// FuzzPublic: no address survives, whatever stands around it.
func FuzzPublic(f *testing.F) {
	for _, s := range []string{"", " ", "<", "x.", "[", "to=", "/home/", "a@b "} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		r := (&Report{Next: before + " someone@contoso.example " + after}).Public("contoso.example")
		if strings.Contains(r.Next, "someone@contoso") {
			t.Errorf("%q", r.Next)
		}
	})
}
