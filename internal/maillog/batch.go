package maillog

// Batch gathers events, so that several cost one write where the log is a file or a pipe. What
// is not flushed is lost with the process. It is for one goroutine.
type Batch struct {
	l      *Logger
	events []event
}

// event is a finished line, and what it was made of.
type event struct {
	p      Priority
	line   string
	id     string
	fields []any
}

// Batch returns an empty batch for the log.
func (l *Logger) Batch() *Batch { return &Batch{l: l} }

// Log is Logger.Log, but the event waits for Flush.
func (b *Batch) Log(p Priority, id string, fields ...any) {
	if !b.l.silent() {
		b.events = append(b.events, b.l.event(p, id, fields))
	}
}

// Flush writes what was gathered.
func (b *Batch) Flush() {
	if len(b.events) == 0 {
		return
	}
	b.l.write(b.events)
	clear(b.events)
	b.events = b.events[:0]
}
