// Package maillog writes one line per event to the mail log, in the shape that
// Postfix made common ("id: to=<a@b>, relay=..., status=sent (250 OK)"), or as JSON.
// It never writes a header, a body or a credential, and nothing that a peer or a
// caller wrote gets into the log unescaped. A log that can't be reached never stops mail.
package maillog

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/printable"
)

// Priority is a syslog severity (RFC 5424 6.2.1).
type Priority int

// The severities in use.
const (
	Alert   Priority = 1
	Err     Priority = 3
	Warning Priority = 4
	Notice  Priority = 5
	Info    Priority = 6
)

// Tag is the program's name in the log.
const Tag = "o365-sendmail"

// Options say where the log goes.
type Options struct {
	// To is "journal", "syslog", "stderr" or a file's path.
	To string
	// Format is "text" or "json".
	Format string
	// Tag is what the caller asked for with -L; "" is the program's name.
	Tag string
	// Stderr gets the lines of "stderr".
	Stderr io.Writer
	// Fallback has Stderr get what no log daemon takes and no file holds. A call of sendmail
	// leaves it unset: its standard error is its caller's.
	Fallback bool
	// Echo has Stderr get every line as well.
	Echo bool
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Logger writes events. Its methods may be called from several goroutines; the zero
// value and nil drop everything.
type Logger struct {
	o    atomic.Pointer[Options]
	mu   sync.Mutex
	sink sink
}

// sink takes finished lines.
type sink interface {
	write(events []event) error
	close()
}

// New opens nothing yet: a process that logs nothing pays nothing.
func New(o Options) *Logger {
	l := &Logger{}
	l.Reopen(o)
	return l
}

// Reopen puts other options in force. The next event opens the log again, so that a file that
// was moved away is made again.
func (l *Logger) Reopen(o Options) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tag = printable.Tag(o.Tag); o.Tag == "" {
		o.Tag = Tag
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.o.Store(&o)
	l.closeSink()
}

func (l *Logger) closeSink() {
	if l.sink != nil {
		l.sink.close()
		l.sink = nil
	}
}

// Log writes one event about the message id ("" for none). Fields are names and
// values in turn; the value of the name "" stands last, in parentheses in text and
// as "text" in JSON.
func (l *Logger) Log(p Priority, id string, fields ...any) {
	if !l.silent() {
		l.write([]event{l.event(p, id, fields)})
	}
}

func (l *Logger) silent() bool {
	if l == nil {
		return true
	}
	o := l.o.Load()
	return o == nil || o.To == ""
}

// event makes the line, or the object, of an event.
func (l *Logger) event(p Priority, id string, fields []any) event {
	e := event{p: p, id: id, fields: fields}
	if o := l.o.Load(); o.Format == "json" {
		e.line = o.json(p, id, fields)
	} else {
		e.line = text(id, fields)
	}
	return e
}

// write hands events to the sink, which is opened by the first and again after a failure: a log
// daemon that was started again has another socket. A log that can't be written never stops mail.
func (l *Logger) write(events []event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.o.Load()
	if o.Echo && o.To != "stderr" {
		_ = newStderrSink(o).write(events)
	}
	var err error
	for range 2 {
		if l.sink == nil {
			l.sink = open(*o)
		}
		if err = l.sink.write(events); err == nil {
			return
		}
		l.closeSink()
	}
	if o.Fallback && !o.Echo {
		_ = newStderrSink(o).write(events)
	}
}

func text(id string, fields []any) string {
	b := make([]byte, 0, 256)
	if id != "" {
		b = append(append(b, printable.Clean(id)...), ": "...)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := format(fields[i]), printable.Clean(format(fields[i+1]))
		switch {
		case name == "" && i > 0:
			b = append(append(append(b, " ("...), value...), ')')
			continue
		case name == "":
			b = append(b, value...)
			continue
		case i > 0:
			b = append(b, ", "...)
		}
		b = append(append(append(b, name...), '='), value...)
	}
	return string(b)
}

func (o *Options) json(p Priority, id string, fields []any) string {
	var b strings.Builder
	put := func(name, value string) {
		if b.Len() == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		v, _ := json.Marshal(value)
		b.WriteString(strconv.Quote(name) + ":" + string(v))
	}
	put("time", o.Now().UTC().Format(time.RFC3339Nano))
	put("severity", strconv.Itoa(int(p)))
	if id != "" {
		put("id", id)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		name := fmt.Sprint(fields[i])
		if name == "" {
			name = "text"
		}
		put(name, printable.Clean(format(fields[i+1])))
	}
	return b.String() + "}"
}

func format(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case error:
		return v.Error()
	case time.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', 2, 64)
	}
	return fmt.Sprint(v)
}
