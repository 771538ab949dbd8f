package doctor

import (
	"bufio"
	"io"
	"net"
	"time"

	"o365-sendmail/internal/smtpreply"
)

// dialogue is an SMTP session, one command at a time, so that each step can be judged by
// itself. It is for probing only: messages go by package submit.
type dialogue struct {
	conn    net.Conn
	br      *bufio.Reader
	timeout time.Duration
}

func newDialogue(conn net.Conn, timeout time.Duration) *dialogue {
	return &dialogue{conn: conn, br: bufio.NewReaderSize(conn, smtpreply.MaxLine), timeout: timeout}
}

// maxReplyLines bounds a reply.
const maxReplyLines = 100

// cmd sends a line and reads the reply.
func (d *dialogue) cmd(line string) (smtpreply.Reply, error) {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	if _, err := io.WriteString(d.conn, line+"\r\n"); err != nil {
		return smtpreply.Reply{}, err
	}
	return d.read()
}

func (d *dialogue) read() (smtpreply.Reply, error) {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	return smtpreply.Read(d.br, maxReplyLines, nil)
}

// quit ends the session without waiting for the answer.
func (d *dialogue) quit() {
	_ = d.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(d.conn, "QUIT\r\n")
	_ = d.conn.Close()
}
