package maillog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/printable"
)

// The sockets of the log daemons, and the facility "mail" (RFC 5424 6.2.1).
const (
	journalSocket = "/run/systemd/journal/socket"
	syslogSocket  = "/dev/log"
	facilityMail  = 2
	writeTimeout  = 2 * time.Second
)

// open picks a sink. A file that can't be used falls back to the journal, with the reason as its first
// line; the journal falls back to syslog, and syslog to standard error if the options say so, else to
// nothing: the exit code and standard error still tell the caller.
func open(o Options) sink {
	switch o.To {
	case "stderr":
		return newStderrSink(&o)
	case "journal":
		if c, err := dial(journalSocket); err == nil {
			return &journalSink{conn: c, tag: o.Tag}
		}
		fallthrough
	case "syslog":
		if c, err := dial(syslogSocket); err == nil {
			return &syslogSink{conn: c, tag: o.Tag, now: o.Now}
		}
		if o.Fallback && !o.Echo {
			return newStderrSink(&o)
		}
		return nullSink{}
	}
	f, _, err := durable.OpenAppend(o.To)
	if err != nil {
		path := o.To
		o.To = "journal"
		s, l := open(o), Logger{}
		l.o.Store(&o)
		reason := fmt.Errorf("log.to: %s can't be used, so the log is here: %w", path, err)
		_ = s.write([]event{l.event(Warning, "", []any{"", reason})})
		return s
	}
	return &fileSink{f: f, tag: o.Tag, now: o.Now, json: o.Format == "json"}
}

func dial(path string) (net.Conn, error) {
	return net.DialTimeout("unixgram", path, writeTimeout)
}

type nullSink struct{}

func (nullSink) write([]event) error { return nil }
func (nullSink) close()              {}

// atomicWrite is how many bytes go into a pipe in one piece, whoever else writes there
// (PIPE_BUF), with room for a prefix.
const atomicWrite = 4096 - 8

type stderrSink struct {
	w      io.Writer
	prefix bool
}

func newStderrSink(o *Options) *stderrSink {
	return &stderrSink{w: o.Stderr, prefix: os.Getenv("JOURNAL_STREAM") != ""}
}

func (s *stderrSink) close() {}

func (s *stderrSink) write(events []event) error {
	if s.w == nil {
		return nil
	}
	var b []byte
	for i, e := range events {
		if s.prefix {
			b = fmt.Appendf(b, "<%d>", e.p)
		}
		b = append(append(b, e.line...), '\n')
		if i+1 < len(events) && len(b)+len(events[i+1].line) < atomicWrite {
			continue
		}
		if _, err := s.w.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}

type fileSink struct {
	f    *os.File
	tag  string
	now  func() time.Time
	json bool
}

func (s *fileSink) close() { _ = s.f.Close() }

func (s *fileSink) write(events []event) error {
	var b []byte
	for _, e := range events {
		if !s.json {
			b = fmt.Appendf(b, "%s %s[%d]: ", s.now().UTC().Format(time.RFC3339), s.tag, os.Getpid())
		}
		b = append(append(b, e.line...), '\n')
	}
	_, err := s.f.Write(b)
	return err
}

type syslogSink struct {
	conn net.Conn
	tag  string
	now  func() time.Time
}

func (s *syslogSink) close() { _ = s.conn.Close() }

// write sends a datagram for each event: that is what makes one.
func (s *syslogSink) write(events []event) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	var errs []error
	for _, e := range events {
		// The local form of syslog: no host name (RFC 3164 as /dev/log has it).
		_, err := fmt.Fprintf(s.conn, "<%d>%s %s[%d]: %s", facilityMail<<3|int(e.p), s.now().UTC().Format(time.Stamp),
			s.tag, os.Getpid(), e.line)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

type journalSink struct {
	conn net.Conn
	tag  string
}

func (s *journalSink) close() { _ = s.conn.Close() }

// write uses the journal's native protocol (systemd's JOURNAL_NATIVE_PROTOCOL page), so that severity, facility and
// what one looks for arrive as fields.
func (s *journalSink) write(events []event) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	var errs []error
	for _, e := range events {
		b := fmt.Appendf(nil, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\n%sMESSAGE\n",
			int(e.p), facilityMail, s.tag, os.Getpid(), journalFields(&e))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(e.line)))
		_, err := s.conn.Write(append(append(b, e.line...), '\n'))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// journalFields are what one looks for in the journal: journalctl MAIL_ID=..., MAIL_UID, MAIL_FROM, MAIL_TO and
// MAIL_STATUS, each on a line of its own. Addresses stand there without angle brackets.
func journalFields(e *event) string {
	b := make([]byte, 0, 128)
	put := func(name, value string) {
		b = append(append(append(append(b, name...), '='), printable.Clean(value)...), '\n')
	}
	if e.id != "" {
		put("MAIL_ID", e.id)
	}
	for i := 0; i+1 < len(e.fields); i += 2 {
		switch e.fields[i] {
		case "uid":
			put("MAIL_UID", format(e.fields[i+1]))
		case "from":
			put("MAIL_FROM", strings.Trim(format(e.fields[i+1]), "<>"))
		case "to":
			put("MAIL_TO", strings.Trim(format(e.fields[i+1]), "<>"))
		case "status":
			put("MAIL_STATUS", format(e.fields[i+1]))
		}
	}
	return string(b)
}
