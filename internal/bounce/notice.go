package bounce

import (
	"bytes"
	"time"

	"github.com/emersion/go-message"

	"o365-sendmail/internal/envelope"
)

// Notice is a message of this program to the administrator.
type Notice struct {
	From    string
	To      []string
	Host    string
	Now     time.Time
	Subject string
	// Body is plain text with lines that end in LF.
	Body string
}

// Write writes the notice and its envelope.
func (n *Notice) Write() (*envelope.Envelope, envelope.Message, error) {
	h := newHeader(n.From, n.To, n.Host, n.Now, "auto-generated")
	h.SetText("Subject", plain(n.Subject))
	h.Set("MIME-Version", "1.0")
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	var b bytes.Buffer
	w, err := message.CreateWriter(&b, h)
	if err != nil {
		return nil, nil, err
	}
	if _, err := w.Write([]byte(n.Body)); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	return addressed(n.From, n.To), Text(b.Bytes()), nil
}
