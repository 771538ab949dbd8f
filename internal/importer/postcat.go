package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// readPostcat reads what "postcat -v" prints of any number of queue files. Without -v a line of a message could pass
// for one of postcat's own; with it each line of the message begins with the record's name.
func readPostcat(q *queueRun) error {
	if pid := postfixPID(q.Root); pid != "" {
		return errBusy("Postfix' master (process " + pid + ") is at work on its queue (postfix stop)")
	}
	const longest = 1 << 20 // Postfix' own records end at 2,048 bytes
	p := &postcat{in: bufio.NewReaderSize(q.Stdin, longest)}
	begun := false
	for q.ctx.Err() == nil {
		line, err := p.line()
		switch file, is := marker(line, "ENVELOPE RECORDS"); {
		case err == io.EOF && !begun:
			return sysexits.With(sysexits.NoInput, errors.New("standard input is empty; it has to be what postcat -v "+
				"prints, as o365-sendmail(8) shows"))
		case err == io.EOF:
			return nil
		case err != nil:
			return sysexits.With(sysexits.DataErr, err)
		case is:
			begun = true
			q.postcat(p, file)
		case !begun && len(bytes.TrimSpace(line)) > 0:
			return sysexits.With(sysexits.DataErr, errors.New("standard input is not what postcat -v prints"))
		}
	}
	return nil
}

// postfixPID is the process of a master that runs, "" when none does.
func postfixPID(root string) string {
	b, err := readFile(root, "/var/spool/postfix/pid/master.pid", maxFile)
	pid := strings.TrimSpace(string(b))
	if _, bad := strconv.Atoi(pid); err != nil || bad != nil {
		return ""
	}
	comm, _ := os.ReadFile("/proc/" + pid + "/comm")
	own, _ := os.Stat(root)
	its, err := os.Stat("/proc/" + pid + "/root")
	if strings.TrimSpace(string(comm)) != "master" || err == nil && own != nil && !os.SameFile(its, own) {
		return ""
	}
	return pid
}

// marker reads "*** WHAT FILE ***".
func marker(line []byte, what string) (file string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("*** "+what+" "))
	if !ok {
		return "", false
	}
	name, ok := bytes.CutSuffix(rest, []byte(" ***"))
	return string(name), ok
}

// postcat is the output of postcat -v, line by line.
type postcat struct {
	in   *bufio.Reader
	back []byte // a line that was read too far
}

func (p *postcat) line() ([]byte, error) {
	if b := p.back; b != nil {
		p.back = nil
		return b, nil
	}
	b, err := p.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errors.New("standard input has a line that postcat does not print")
	case err == io.EOF && len(b) > 0:
		return nil, errors.New("standard input ends in the middle of a message: the last one was not taken over")
	case err != nil:
		return nil, err
	}
	return b[:len(b)-1], nil
}

// postcat takes one message of it.
func (q *queueRun) postcat(p *postcat, file string) {
	id := path.Base(file)
	e := &entry{Message: Message{Source: file, UID: -1, Originals: []string{id}}, identity: id, untraced: true}
	r := &postfixFile{postcat: p, file: file, entry: e}
	err := r.envelope("MESSAGE CONTENTS")
	e.body, e.end = &postfixText{postfixFile: r}, r.rest
	if err != nil {
		e.body = failing{err}
	}
	if e.Arrived.IsZero() {
		e.Arrived = time.Unix(0, 0)
	}
	q.take(e)
}

// postfixFile is one queue file.
type postfixFile struct {
	*postcat
	file string
	*entry
	notify envelope.Notify
	orcpt  string
}

// envelope reads records up to a marker.
func (f *postfixFile) envelope(until string) error {
	for {
		line, err := f.line()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if name, is := marker(line, until); is && name == f.file {
			return nil
		}
		if _, is := marker(line, "ENVELOPE RECORDS"); is {
			f.back = bytes.Clone(line)
			return errors.New("it is cut off")
		}
		name, value, ok := strings.Cut(string(line), ": ")
		if !ok {
			name, value = strings.TrimSuffix(string(line), ":"), ""
		}
		if err := f.record(name, strings.TrimSpace(value)); err != nil {
			return err
		}
	}
}

// record takes a record of the envelope (Postfix' global/rec_type.h).
func (f *postfixFile) record(name, value string) error {
	switch name {
	case "message_arrival_time", "create_time":
		if t, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", value, time.Local); err == nil {
			f.Arrived = t
		}
	case "message_size": // cleanup writes it, behind which there is Postfix' own Received field
		f.untraced = false
	case "sender":
		return f.from(external(value))
	case "recipient":
		if err := f.add(external(value)); err != nil {
			return err
		}
		last := &f.env.Recipients[len(f.env.Recipients)-1]
		last.Notify, last.ORcpt = f.notify, f.orcpt
		f.notify, f.orcpt = 0, ""
	case "done_recipient", "canceled_recipient":
		f.notify, f.orcpt = 0, ""
	case "named_attribute":
		f.attribute(value)
	case "killed_record", "redirect_to", "content_inspector":
		return fmt.Errorf("it has a record %s, which can't follow", name)
	}
	return nil
}

// attribute reads what RFC 3461 has beside the addresses.
func (f *postfixFile) attribute(text string) {
	name, value, _ := strings.Cut(text, "=")
	n, _ := strconv.Atoi(value)
	switch name {
	case "envelope_id":
		f.env.EnvID = value
	case "ret_flags":
		f.env.Ret = map[int]string{1: "FULL", 2: "HDRS"}[n]
	case "dsn_orig_rcpt":
		f.orcpt = value
	case "notify_flags": // dsn_mask.h
		for bit, notify := range map[int]envelope.Notify{1: envelope.NotifyNever, 2: envelope.NotifySuccess,
			4: envelope.NotifyFailure, 8: envelope.NotifyDelay} {
			if n&bit != 0 {
				f.notify |= notify
			}
		}
	}
}

// external is an address as RFC 5321 writes it: queue files have local parts without their quotes.
func external(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	if at <= 0 || strings.HasPrefix(addr, `"`) {
		return addr
	}
	return rfc822.Address{Local: addr[:at], Domain: addr[at+1:]}.Addr()
}

// postfixText is the message of a queue file: the records after its marker that hold text.
type postfixText struct {
	*postfixFile
	rest []byte
	eof  bool
}

func (t *postfixText) Read(b []byte) (int, error) {
	for len(t.rest) == 0 {
		if t.eof {
			return 0, io.EOF
		}
		line, err := t.line()
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		text, whole := bytes.CutPrefix(line, []byte("regular_text: "))
		part, cut := bytes.CutPrefix(line, []byte("unterminated_text: "))
		switch {
		case whole:
			t.rest = append(text, '\n')
		case cut:
			t.rest = part
		case bytes.HasPrefix(line, []byte("padding: ")), bytes.HasPrefix(line, []byte("pointer_record: ")):
		default:
			t.back, t.eof = bytes.Clone(line), true
		}
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// rest reads what stands behind the message: recipients that were found in its header, and the end.
func (f *postfixFile) rest() error {
	line, err := f.line()
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if name, is := marker(line, "MESSAGE FILE END"); is && name == f.file {
		return nil
	}
	if name, is := marker(line, "HEADER EXTRACTED"); !is || name != f.file {
		f.back = bytes.Clone(line)
		return errors.New("it is cut off, damaged, or printed by postcat without -v")
	}
	return f.envelope("MESSAGE FILE END")
}
