package deliver

import (
	"bytes"
	"io"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/history"
	"o365-sendmail/rfc822"
)

// subject is what the history says of a message besides its envelope.
type subject struct {
	uid       int
	size      int64 // bytes, 0 if unknown
	messageID string
}

// remember puts the ends of recipients into the history. Who is still to do has none.
func (e *core) remember(log keeper, id string, env *envelope.Envelope, s subject, v *Outcome, delay time.Duration) {
	if !e.remembers(v) {
		return
	}
	about := history.Entry{Time: e.clock.Now(), ID: id, UID: s.uid, Sender: env.Sender, Size: s.size,
		Delay: max(delay, 0).Seconds(), MessageID: strings.Trim(strings.TrimSpace(s.messageID), "<>")}
	if env.Origin != env.Sender {
		about.Origin = env.Origin
	}
	entries := make([]history.Entry, 0, len(v.fate))
	for k, f := range v.fate {
		if f == fateLater {
			continue
		}
		a := about
		a.Recipient, a.Enhanced, a.Reply = env.Recipients[k].Address, v.enhanced, v.reply
		if a.Status, _, _ = v.word(k); f == fateRefused {
			_, a.Enhanced = replyOf(v.errs[k])
			a.Reply = reasonText(v.errs[k])
		}
		entries = append(entries, a)
	}
	log.keep(entries)
}

func (e *core) remembers(v *Outcome) bool { return v.later < len(v.fate) && e.o.History.On() }

// rememberTry is remember for a message of the queue. Its Message-ID is read from the file.
func (e *core) rememberTry(log keeper, j *job, v *Outcome, delay time.Duration) {
	if !e.remembers(v) {
		return
	}
	id, _ := headerOf(j.msg).Get("Message-ID")
	e.remember(log, j.id, j.env, subject{j.item.Meta().UID, j.msg.Size(), id}, v, delay)
}

// rememberDamaged is rememberTry for a message that can't be read.
func (e *core) rememberDamaged(j *job, err error) {
	v := untried(len(j.env.Recipients), err)
	v.refuse(err)
	v.told = toldNobody
	e.remember(e.log, j.id, j.env, subject{uid: j.item.Meta().UID}, v, e.clock.Now().Sub(j.item.Meta().Arrived))
}

// maxHeader is how much of a message is read to find fields of its header, in bytes.
const maxHeader = 256 << 10

// headerOf reads the header of a message. What can't be read has no fields.
func headerOf(msg envelope.Message) *rfc822.Header {
	r, err := msg.Open()
	if err != nil {
		return rfc822.ParseHeader(nil)
	}
	defer r.Close()
	end := []byte("\r\n\r\n")
	b := make([]byte, 0, 4<<10)
	for len(b) < maxHeader && err == nil {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n := 0
		n, err = r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if i := bytes.Index(b, end); i >= 0 {
			return rfc822.ParseHeader(b[:i+len(end)])
		}
	}
	if err != nil && err != io.EOF {
		b = nil
	}
	return rfc822.ParseHeader(b)
}
