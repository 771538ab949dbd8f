package notify

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
)

func sample() *Report {
	arrived := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Report{
		Action: Failed, From: "noreply@contoso.test", To: []string{"it@contoso.test"}, Host: "web1.contoso.test",
		Relay:   "smtp.office365.com",
		QueueID: "20300102030405-0123456789abcdef", Arrived: arrived, Now: arrived.Add(time.Minute),
		Recipients: []Recipient{{Address: "a@example.com", ORcpt: "rfc822;root@web1", Status: "5.1.10",
			Reply: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", Reason: "nobody has that address",
			Remedy: "check the address"},
			{Address: "jörg@example.com", Reason: "it was tried for 5 days; the server can't be reached\r\nX: y"}},
		Envelope: &envelope.Envelope{EnvID: "abc", Ret: ""},
		Message:  Text("From: root <noreply@contoso.test>\r\nSubject: hi\r\n\r\nBody.\r\n.\r\n"),
	}
}

// parts takes a report apart with the standard library, as a peer.
func parts(t *testing.T, b []byte) (h mail.Header, kinds []string, bodies []string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("%s %v %v", kind, params, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return m.Header, kinds, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		kinds, bodies = append(kinds, kind), append(bodies, string(body))
	}
}

func read(t *testing.T, msg envelope.Message) []byte {
	t.Helper()
	r, err := msg.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != msg.Size() {
		t.Fatalf("%d bytes, size says %d: %v", len(b), msg.Size(), err)
	}
	return b
}

// wire checks what a message on its way must not have.
func wire(t *testing.T, b []byte, eightBit bool) {
	t.Helper()
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("a bare CR or LF in %q", line)
		}
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		t.Error("no line end at the end")
	}
	if !eightBit && !printable.IsASCII(string(b)) {
		t.Error("bytes over 127 without the flag")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := sample()
	env, msg, err := Build(r)
	if err != nil {
		t.Fatal(err)
	}
	if env.Sender != r.From || env.Origin != "" || len(env.Recipients) != 1 ||
		env.Recipients[0].Address != "it@contoso.test" || env.EightBit {
		t.Errorf("envelope %+v", env)
	}
	b := read(t, msg)
	wire(t, b, false)
	h, kinds, bodies := parts(t, b)
	if h.Get("Auto-Submitted") != "auto-replied" || h.Get("From") != "Mail Delivery System <noreply@contoso.test>" ||
		h.Get("Message-ID") == "" || h.Get("Date") == "" {
		t.Errorf("header %v", h)
	}
	if got := strings.Join(kinds, " "); got != "text/plain message/delivery-status message/rfc822" {
		t.Errorf("parts %s", got)
	}
	for _, want := range []string{"550 5.1.10 RESOLVER.ADR.RecipientNotFound", "What to do: check the address",
		"<jörg@example.com>", r.QueueID} {
		if !strings.Contains(bodies[0], want) {
			t.Errorf("the text has no %q:\n%s", want, bodies[0])
		}
	}
	want := "Original-Envelope-Id: abc\r\nReporting-MTA: dns; web1.contoso.test\r\nX-Queue-Id: " + r.QueueID +
		"\r\nArrival-Date: Wed, 02 Jan 2030 03:04:05 +0000\r\n" +
		"\r\nOriginal-Recipient: rfc822; root@web1\r\nFinal-Recipient: rfc822; a@example.com\r\nAction: failed\r\n" +
		"Status: 5.1.10\r\nRemote-MTA: dns; smtp.office365.com\r\n" +
		"Diagnostic-Code: smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\r\nLast-Attempt-Date: " +
		"Wed, 02 Jan 2030 03:05:05 +0000\r\n" +
		"\r\nFinal-Recipient: utf-8; j\\x{F6}rg@example.com\r\nAction: failed\r\nStatus: 5.0.0\r\n" +
		"Diagnostic-Code: x-o365-sendmail; it was tried for 5 days; the server can't be reached  X: y\r\n" +
		"Last-Attempt-Date: Wed, 02 Jan 2030 03:05:05 +0000\r\n"
	if bodies[1] != want {
		t.Errorf("status\n%q\nwant\n%q", bodies[1], want)
	}
	if bodies[2] != string(r.Message.(Text)) {
		t.Errorf("original %q", bodies[2])
	}
	if e, err := message.Read(bytes.NewReader(b)); err != nil || e.MultipartReader() == nil {
		t.Errorf("go-message does not read it: %v", err)
	}
}

func TestOriginal(t *testing.T) {
	t.Parallel()
	long := "Subject: hi\r\nX-Long: " + strings.Repeat("x", 2000) + "\r\nX-Eight: \xff\xfe\r\n\r\n" +
		strings.Repeat("y", 2<<20) + "\r\n"
	for _, c := range []struct {
		name     string
		change   func(*Report)
		kind     string
		eightBit bool
	}{
		{"asked for the header", func(r *Report) { r.Envelope.Ret = "HDRS" }, "text/rfc822-headers", false},
		{"large", func(r *Report) { r.Message = Text(long); r.Envelope.Ret = "FULL" }, "text/rfc822-headers", false},
		{"delayed", func(r *Report) { r.Action = Delayed }, "text/rfc822-headers", false},
		{"8-bit", func(r *Report) { r.Message = Text("Subject: x\r\n\r\n\xff\r\n") }, "message/rfc822", true},
		{"SMTPUTF8", func(r *Report) { r.Envelope.SMTPUTF8 = true; r.Message = Text("Subject: ü\r\n\r\nx\r\n") },
			"text/rfc822-headers", false},
		{"nothing", func(r *Report) { r.Message = nil }, "", false},
		{"no blank line", func(r *Report) { r.Message = Text("Subject: x"); r.Envelope.Ret = "HDRS" },
			"text/rfc822-headers", false},
	} {
		r := sample()
		c.change(r)
		env, msg, err := Build(r)
		if err != nil {
			t.Fatal(c.name, err)
		}
		b := read(t, msg)
		wire(t, b, c.eightBit)
		_, kinds, _ := parts(t, b)
		last := ""
		if len(kinds) > 2 {
			last = kinds[2]
		}
		if last != c.kind || env.EightBit != c.eightBit {
			t.Errorf("%s: %v, 8-bit %v", c.name, kinds, env.EightBit)
		}
	}
}

func TestNotice(t *testing.T) {
	t.Parallel()
	env, msg, err := notice(&Config{From: "noreply@contoso.test", Host: "web1"},
		[]string{"it@contoso.test"}, time.Now(),
		"Mail is held\r\nBcc: x@y", "Line ü\n"+strings.Repeat("z", 3000)+"\n")
	if err != nil {
		t.Fatal(err)
	}
	b := read(t, msg)
	wire(t, b, false)
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" ||
		env.Origin != "" {
		t.Errorf("%v %v %+v", m.Header, err, env)
	}
}

func FuzzReport(f *testing.F) {
	f.Add("a@b", "550 no", "why", "Subject: x\r\n\r\ny\r\n")
	f.Add("\r\n@\x00", "\xff", "\n", "no header")
	f.Fuzz(func(t *testing.T, address, reply, reason, original string) {
		r := sample()
		r.Recipients = []Recipient{{Address: address, ORcpt: "rfc822;" + address, Reply: reply, Reason: reason,
			Status: reply}}
		r.Envelope.Ret = "HDRS"
		r.Message = Text(original)
		_, msg, err := Build(r)
		if err != nil {
			t.Fatal(err)
		}
		b := read(t, msg)
		wire(t, b, false)
		if _, _, bodies := parts(t, b); strings.Count(bodies[1], "Final-Recipient:") > 1 {
			t.Errorf("fields were injected: %q", bodies[1])
		}
	})
}
