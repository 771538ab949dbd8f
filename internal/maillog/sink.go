package maillog

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// The sockets of the log daemons, and the facility "mail" (RFC 5424 6.2.1).
const (
	journalSocket = "/run/systemd/journal/socket"
	syslogSocket  = "/dev/log"
	facilityMail  = 2
	writeTimeout  = 2 * time.Second
)

// open picks a sink. The journal falls back to syslog and syslog to nothing: the exit
// code and standard error still tell the caller.
func open(o Options) sink {
	switch o.To {
	case "stderr":
		return &stderrSink{w: o.Stderr, prefix: os.Getenv("JOURNAL_STREAM") != ""}
	case "journal":
		if c, err := dial(journalSocket); err == nil {
			return &journalSink{conn: c, tag: o.Tag}
		}
		fallthrough
	case "syslog":
		if c, err := dial(syslogSocket); err == nil {
			return &syslogSink{conn: c, tag: o.Tag, now: o.Now}
		}
		return nullSink{}
	}
	f, err := os.OpenFile(o.To, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nullSink{}
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nullSink{}
	}
	return &fileSink{f: f, tag: o.Tag, now: o.Now, json: o.Format == "json"}
}

func dial(path string) (net.Conn, error) {
	return net.DialTimeout("unixgram", path, writeTimeout)
}

type nullSink struct{}

func (nullSink) write(Priority, string) error { return nil }

type stderrSink struct {
	w      io.Writer
	prefix bool
}

func (s *stderrSink) write(p Priority, line string) error {
	if s.w == nil {
		return nil
	}
	if s.prefix {
		line = fmt.Sprintf("<%d>%s", p, line)
	}
	_, err := io.WriteString(s.w, line+"\n")
	return err
}

type fileSink struct {
	f    *os.File
	tag  string
	now  func() time.Time
	json bool
}

func (s *fileSink) write(_ Priority, line string) error {
	if !s.json {
		line = fmt.Sprintf("%s %s[%d]: %s", s.now().UTC().Format(time.RFC3339), s.tag, os.Getpid(), line)
	}
	_, err := io.WriteString(s.f, line+"\n")
	return err
}

type syslogSink struct {
	conn net.Conn
	tag  string
	now  func() time.Time
}

func (s *syslogSink) write(p Priority, line string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	// The local form of syslog: no host name (RFC 3164 as /dev/log has it).
	_, err := fmt.Fprintf(s.conn, "<%d>%s %s[%d]: %s", facilityMail<<3|int(p), s.now().UTC().Format(time.Stamp), s.tag, os.Getpid(), line)
	return err
}

type journalSink struct {
	conn net.Conn
	tag  string
}

// write uses the journal's native protocol, so that severity and facility arrive as fields.
func (s *journalSink) write(p Priority, line string) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	var b strings.Builder
	fmt.Fprintf(&b, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\n", int(p), facilityMail, s.tag, os.Getpid())
	b.WriteString("MESSAGE\n")
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(line)))
	b.Write(size[:])
	b.WriteString(line + "\n")
	_, err := io.WriteString(s.conn, b.String())
	return err
}
