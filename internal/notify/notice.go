package notify

import (
	"bytes"
	"time"

	"github.com/emersion/go-message"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
)

// notice writes a message to the administrator; its body is plain text with lines that end in LF.
func notice(c *Config, to []string, now time.Time, subject, body string) (*envelope.Envelope, envelope.Message, error) {
	h := newHeader(c.From, to, c.Host, now, "auto-generated")
	h.SetText("Subject", printable.Line(subject+" ("+c.Host+")"))
	h.Set("MIME-Version", "1.0")
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	var b bytes.Buffer
	w, err := message.CreateWriter(&b, h)
	if err == nil {
		_, err = w.Write([]byte(body))
	}
	if err == nil {
		err = w.Close()
	}
	return addressed(c.From, to), Text(b.Bytes()), err
}
