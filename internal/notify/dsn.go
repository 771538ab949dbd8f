package notify

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/rfc822"
)

// Action is what became of a recipient (RFC 3464 2.3.3).
type Action string

// The actions in use.
const (
	Failed  Action = "failed"
	Delayed Action = "delayed"
	Relayed Action = "relayed" // handed to a system that may not report on its own
)

// Recipient is one recipient that a report tells about.
type Recipient struct {
	Address string
	ORcpt   string // "type;address", or ""
	// Status is an RFC 3463 code; "" gets the action's most general.
	Status string
	// Reply is the server's reply with its codes; "" when there was none.
	Reply string
	// Reason and Remedy are for people: what it means and what to do. Either may be "".
	Reason, Remedy string
}

// Report is a delivery status notification to be.
type Report struct {
	Action Action
	// From is the address that sends it, To who gets it.
	From string
	To   []string
	// Host is this host's name, Relay that of the server that spoke, "" when none did.
	Host, Relay string
	QueueID     string
	Arrived     time.Time
	Now         time.Time
	// Until is when a delayed message is given up; zero when unknown.
	Until      time.Time
	Recipients []Recipient
	// Envelope and Message are the original's. A nil Message is left out.
	Envelope *envelope.Envelope
	Message  envelope.Message
}

// maxOriginal is the longest message that a report repeats in full, in bytes.
const maxOriginal = 1 << 20

// Build writes the report and its envelope.
func Build(r *Report) (*envelope.Envelope, envelope.Message, error) {
	env := addressed(r.From, r.To)
	original, kind, eightBit := r.original()
	env.EightBit = eightBit
	var b bytes.Buffer
	h := newHeader(r.From, r.To, r.Host, r.Now, "auto-replied")
	h.SetText("Subject", r.subject())
	h.Set("MIME-Version", "1.0")
	h.SetContentType("multipart/report", map[string]string{"report-type": "delivery-status"})
	encoding := ""
	if eightBit {
		encoding = "8bit"
		h.Set("Content-Transfer-Encoding", encoding)
	}
	w, err := message.CreateWriter(&b, h)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range []part{
		{"text/plain", map[string]string{"charset": "utf-8"}, "quoted-printable", r.text()},
		{"message/delivery-status", nil, "", r.status()},
		{kind, nil, encoding, original},
	} {
		if p.kind == "" {
			continue
		}
		if err := p.write(w); err != nil {
			return nil, nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	return env, Text(b.Bytes()), nil
}

// part is one part of a report.
type part struct {
	kind     string
	params   map[string]string
	encoding string
	body     []byte
}

func (p *part) write(w *message.Writer) error {
	var h message.Header
	h.SetContentType(p.kind, p.params)
	if p.encoding != "" {
		h.Set("Content-Transfer-Encoding", p.encoding)
	}
	pw, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := pw.Write(p.body); err != nil {
		return err
	}
	return pw.Close()
}

// displayName is who the reports come from.
const displayName = "Mail Delivery System"

// newHeader makes the fields that every message of this package has, the first one last, as
// go-message adds fields at the top.
func newHeader(from string, to []string, host string, now time.Time, submitted string) message.Header {
	var h message.Header
	h.Set("Auto-Submitted", submitted)
	h.Set("X-Auto-Response-Suppress", "All") // Exchange's own word for it
	h.Set("Message-ID", rfc822.NewMessageID(host))
	h.Set("Date", rfc822.FormatDate(now))
	h.Set("To", strings.Join(to, ", "))
	h.Set("From", displayName+" <"+from+">")
	return h
}

// addressed makes the envelope. Its sender is the mailbox, since Exchange Online is not known
// to take the null sender; its origin is null, so that nobody reports on a report.
func addressed(from string, to []string) *envelope.Envelope {
	env := &envelope.Envelope{Sender: from, Ret: "HDRS"}
	for _, a := range to {
		env.Recipients = append(env.Recipients, envelope.Recipient{Address: a, Notify: envelope.NotifyNever})
	}
	return env
}

// Text is a message in memory.
type Text []byte

// Size is the number of bytes.
func (t Text) Size() int64 { return int64(len(t)) }

// Open reads from the start.
func (t Text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }

func (r *Report) subject() string {
	switch r.Action {
	case Delayed:
		return "Delayed mail (still being tried)"
	case Relayed:
		return "Mail handed on to the next server"
	}
	return "Undelivered mail returned to sender"
}

// text is the part for people.
func (r *Report) text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\n\n", printable.Line(r.Host))
	switch r.Action {
	case Delayed:
		b.WriteString("Your message could not be delivered yet. You need not send it again:\nit is kept and tried ")
		if r.Until.IsZero() {
			b.WriteString("until it is delivered.\n")
		} else {
			fmt.Fprintf(&b, "until %s.\n", rfc822.FormatDate(r.Until))
		}
	case Relayed:
		b.WriteString("Your message was handed on to the server below, which may send no report\nof its delivery. " +
			"You asked for this note.\n")
	default:
		b.WriteString("Your message could not be delivered to the recipients below, and it won't\nbe tried again.\n")
	}
	for i := range r.Recipients {
		r.Recipients[i].describe(&b, r.Relay)
	}
	fmt.Fprintf(&b, "\nThe message arrived on %s", rfc822.FormatDate(r.Arrived))
	if r.QueueID != "" {
		fmt.Fprintf(&b, " and had the queue id %s", r.QueueID)
	}
	b.WriteString(".\n")
	return []byte(b.String())
}

func (rc *Recipient) describe(b *strings.Builder, relay string) {
	fmt.Fprintf(b, "\n<%s>\n", printable.Line(rc.Address))
	if rc.Reply != "" {
		fmt.Fprintf(b, "  %s said: %s\n", printable.Line(relay), printable.Line(rc.Reply))
	}
	if rc.Reason != "" {
		fmt.Fprintf(b, "  Why: %s\n", printable.Line(rc.Reason))
	}
	if rc.Remedy != "" {
		fmt.Fprintf(b, "  What to do: %s\n", printable.Line(rc.Remedy))
	}
}
