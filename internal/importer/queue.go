package importer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// What becomes of a message.
const (
	Waits   = "waits"        // it can be taken over
	Kept    = "taken over"   // it is in the queue now
	Before  = "here already" // an import before took it over
	Refused = "refused"      // the note says why
)

// Message is one message in another program's queue.
type Message struct {
	Source     string    `json:"source"`
	Fate       string    `json:"fate"`
	Note       string    `json:"note,omitempty"`
	QueueID    string    `json:"queue_id,omitempty"`
	Sender     string    `json:"sender"`
	Recipients []string  `json:"recipients"`
	Bytes      int64     `json:"bytes"`
	Arrived    time.Time `json:"arrived"`
	UID        int       `json:"uid"` // who handed it in, -1 when nobody knows

	// Originals are the files, or Postfix' ids, that may be removed when the message has left.
	Originals []string `json:"originals"`
}

// QueueOptions say where the queue is and what to do with it.
type QueueOptions struct {
	Root    string
	Homes   []Home
	Stdin   io.Reader // Postfix: what postcat -v prints
	MaxSize int64
	TempDir string
	// Keep takes a message over and reports whether it is new; nil is a dry run.
	Keep func(env *envelope.Envelope, msg *rfc822.Message, via string) (bool, error)
	// Noted reports, for a dry run, whether the message of that id was taken before.
	Noted func(id string) bool
	// See gets each message.
	See func(Message)
}

// queues are the readers of queues by the name of the program.
func queues() map[string]func(q *queueRun) error {
	return map[string]func(q *queueRun) error{
		"nullmailer": readNullmailerQueue, "dma": readDmaQueue, "msmtp": readMsmtpQueue, "postfix": readPostcat,
	}
}

// Queue goes through the queue of a program. One message that can't be read is refused and the others go on. It
// returns the command that removes the originals of those that are here now, "" when there are none.
func Queue(ctx context.Context, program string, o QueueOptions) (remove string, err error) {
	read := queues()[program]
	switch {
	case program == "exim4":
		return "", sysexits.With(sysexits.Unavailable, errors.New("the queue of Exim is not read: let Exim deliver it "+
			"first (exim4 -qff), then remove Exim"))
	case read == nil:
		return "", sysexits.With(sysexits.Unavailable, fmt.Errorf("%.64s has no queue that can be taken over: it has "+
			"none, or its form is not known", program))
	}
	q := &queueRun{QueueOptions: o, ctx: ctx, program: program,
		plainName: regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)}
	if err := read(q); err != nil {
		return "", err
	}
	return q.remove(), ctx.Err()
}

// queueRun is one go through a queue.
type queueRun struct {
	QueueOptions
	ctx     context.Context
	program string
	done    []string // what may be removed
	// plainName is the form of names in queues: a person may put the command that removes them into a shell.
	plainName *regexp.Regexp
}

// entry is a message as its program wrote it.
type entry struct {
	Message
	env  envelope.Envelope
	body io.Reader
	// fromHeader has the recipients in the header (sendmail -t).
	fromHeader bool
	// end reads what stands behind the message; may be nil.
	end func() error
	// untraced has no field of the program's own yet: its first one is its sender's.
	untraced bool
	// identity is what tells it from all others, beside its content.
	identity string
}

// take reads the message of an entry and hands it over. What is wrong with it concerns no other.
func (q *queueRun) take(e *entry) {
	e.Source = printable.Line(e.Source)
	if err := q.tryTake(e); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file is cut off: it ends before the message does")
		}
		e.Fate, e.Note = Refused, printable.Line(err.Error())
	}
	e.Recipients = []string{}
	for _, r := range e.env.Recipients {
		e.Recipients = append(e.Recipients, r.Address)
	}
	e.Sender = e.env.Sender
	if e.Fate == Kept || e.Fate == Before {
		q.done = append(q.done, e.Originals...)
	} else {
		e.Originals = []string{}
	}
	q.See(e.Message)
}

func (q *queueRun) tryTake(e *entry) error {
	if !q.plainName.MatchString(path.Base(e.Source)) {
		return errors.New("its name is none that the program gives")
	}
	if f, ok := e.body.(failing); ok {
		return f.error
	}
	sum := sha256.New()
	msg, err := rfc822.Read(io.TeeReader(e.body, sum), rfc822.ReadOptions{MaxSize: q.MaxSize, TempDir: q.TempDir})
	if err != nil {
		return err
	}
	defer msg.Close()
	if e.end != nil {
		if err := e.end(); err != nil {
			return err
		}
	}
	e.Bytes = msg.Size()
	if e.fromHeader {
		if err := e.addHeader(msg); err != nil {
			return err
		}
	}
	if len(e.env.Recipients) == 0 {
		return errors.New("it has no recipient")
	}
	q.nameUser(e, msg)
	e.env.ID = messageID(q.program+"\x00"+e.identity, sum.Sum(nil), e.Arrived)
	if q.Keep == nil {
		if e.Fate = Waits; q.Noted != nil && q.Noted(e.env.ID) {
			e.Fate = Before
		}
		return nil
	}
	e.env.Caller = envelope.Caller{UID: e.UID, Via: "from " + q.program + "'s queue"}
	isNew, err := q.Keep(&e.env, msg, e.env.Caller.Via)
	if err != nil {
		return err
	}
	e.QueueID, e.Fate = e.env.ID, Before
	if isNew {
		e.Fate = Kept
	}
	return nil
}

// addHeader adds the recipients that the header names.
func (e *entry) addHeader(msg *rfc822.Message) error {
	list, faults := msg.Header.Recipients()
	for _, a := range list {
		if err := e.add(a.Addr()); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// invokedBy is how a program's own first field, Received, names the user who handed a message in.
func invokedBy() map[string]string {
	return map[string]string{
		"nullmailer": `^\s*\(nullmailer pid [0-9]+ invoked by uid ([0-9]{1,9})\)`,
		"dma":        `^\s*from \S+ \(uid ([0-9]{1,9})\)`,
		"postfix":    `^\s*by \S+ \(Postfix, from userid ([0-9]{1,9})\)`,
	}
}

// nameUser finds in the first field, which the program put there, who handed the message in. Another system's numbers
// say nothing here.
func (q *queueRun) nameUser(e *entry, msg *rfc822.Message) {
	if path.Clean(q.Root) != "/" {
		e.UID = -1
		return
	}
	form := invokedBy()[q.program]
	if v, ok := msg.Header.Get("Received"); ok && form != "" && !e.untraced {
		if m := regexp.MustCompile(form).FindStringSubmatch(v); m != nil {
			e.UID, _ = strconv.Atoi(m[1])
		}
	}
}

// add is a recipient as the program wrote it.
func (e *entry) add(addr string) error {
	addr, err := envelopeAddress(addr)
	if err == nil && addr == "" {
		err = errors.New("it has an empty recipient")
	}
	if err == nil && !slices.ContainsFunc(e.env.Recipients, func(r envelope.Recipient) bool { return r.Address == addr }) {
		e.env.Recipients = append(e.env.Recipients, envelope.Recipient{Address: addr})
	}
	return err
}

func (e *entry) from(addr string) (err error) {
	e.env.Sender, err = envelopeAddress(addr)
	return err
}

// envelopeAddress checks an address, which may be a bare local name or the null sender.
func envelopeAddress(addr string) (string, error) {
	const longest = 1000
	addr = strings.TrimSuffix(strings.TrimPrefix(addr, "<"), ">")
	if addr == "" {
		return "", nil
	}
	a, err := rfc822.ParseAddress(addr)
	switch {
	case err != nil:
		return "", fmt.Errorf("%.128q is not an address: %w", addr, err)
	case len(addr) > longest, printable.HasControl(addr), strings.HasPrefix(addr, "-"):
		return "", fmt.Errorf("%.128q is not an address", addr)
	case a.Domain == "":
		return a.Local, nil
	}
	return a.Addr(), nil
}

// lines reads an envelope's lines, each bounded.
type lines struct{ *bufio.Reader }

func newLines(r io.Reader) lines { return lines{bufio.NewReaderSize(r, 1<<16)} }

func (l lines) next() (string, error) {
	b, err := l.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errors.New("a line of its envelope is longer than any")
	}
	if err == io.EOF {
		return "", io.ErrUnexpectedEOF
	}
	return string(bytes.TrimSuffix(b, []byte("\n"))), err
}

// files lists a directory's names below the root that match, oldest first.
func (q *queueRun) files(dir string, match *regexp.Regexp) ([]string, error) {
	root, err := os.OpenRoot(q.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	at, err := resolve(root, dir)
	if err != nil {
		return nil, err
	}
	list, err := fs.ReadDir(root.FS(), at)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range list {
		if match.MatchString(d.Name()) {
			names = append(names, path.Join(dir, d.Name()))
		}
	}
	return names, nil
}

// open opens a file of a queue: regular, not too large, not linked from elsewhere, and its owner's if uid is not -1.
func (q *queueRun) open(name string, uid int, links uint64) (*os.File, *syscall.Stat_t, error) {
	f, err := openFile(q.Root, name)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil {
		st, ok := fi.Sys().(*syscall.Stat_t)
		switch at, linkErr := q.lstat(name); {
		case !ok || linkErr != nil || at.Mode()&fs.ModeSymlink != 0:
			err = errors.New("it is a symbolic link, which is not followed")
		case fi.Size() > q.MaxSize+1<<20:
			err = fmt.Errorf("it has %d bytes, more than delivery.max_size", fi.Size())
		case uid >= 0 && int(st.Uid) != uid, uint64(st.Nlink) > links:
			err = fmt.Errorf("it belongs to uid %d, or has a second name: whose it is, is not clear", st.Uid)
		default:
			return f, st, nil
		}
	}
	_ = f.Close()
	return nil, nil, err
}

func (q *queueRun) lstat(name string) (fs.FileInfo, error) {
	root, err := os.OpenRoot(q.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	at, err := resolve(root, path.Dir(name))
	if err != nil {
		return nil, err
	}
	return root.Lstat(path.Join(at, path.Base(name)))
}

// remove is the command that takes the originals away.
func (q *queueRun) remove() string {
	const most = 20
	switch n := len(q.done); {
	case n == 0:
		return ""
	case n > most && q.program != "postfix":
		return "o365-sendmail import " + q.program + " --queue --write --json | jq -r '.messages[].originals[]?' | " +
			"xargs -d '\\n' rm --"
	case q.program == "postfix":
		return "printf '%s\\n' " + strings.Join(q.done, " ") + " | postsuper -d -"
	}
	return "rm -- " + strings.Join(q.done, " ")
}

// stamp is when a file was written.
func stamp(st *syscall.Stat_t) time.Time { return time.Unix(st.Mtim.Unix()) }
