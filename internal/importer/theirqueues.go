package importer

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"syscall"

	"o365-sendmail/internal/sysexits"
)

// errBusy is wrapped in the error of a queue that its own program works on.
func errBusy(why string) error {
	return sysexits.With(sysexits.TempFail, fmt.Errorf("%s: stop it first, or every message goes out twice", why))
}

// running reports whether a process of that name runs below the same root.
func running(root, name string) bool {
	own, err := os.Stat(root)
	if err != nil {
		return false
	}
	procs, _ := os.ReadDir("/proc")
	for _, p := range procs {
		comm, err := os.ReadFile("/proc/" + p.Name() + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue
		}
		// Who may not look at a process can't tell whose it is.
		if its, err := os.Stat("/proc/" + p.Name() + "/root"); err != nil || os.SameFile(its, own) {
			return true
		}
	}
	return false
}

// readNullmailerQueue: a file holds the sender, the recipients, an empty line, the message (nullmailer-queue(8)).
func readNullmailerQueue(q *queueRun) error {
	if running(q.Root, "nullmailer-send") {
		return errBusy("nullmailer-send is at work on this queue (systemctl stop nullmailer)")
	}
	const dir = "/var/spool/nullmailer/queue"
	names, err := q.files(dir, regexp.MustCompile(`^[^.]`))
	if err != nil {
		return sysexits.With(sysexits.NoInput, err)
	}
	owner := -1
	if st, err := q.lstat(dir); err == nil {
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			owner = int(sys.Uid)
		}
	}
	for _, name := range names {
		q.file(name, owner, manyNames, func(e *entry, f *os.File) error {
			r := newLines(f)
			for first := true; ; first = false {
				line, err := r.next()
				switch {
				case err != nil:
					return err
				case first:
					err = e.from(line)
				case line == "":
					e.body = r
					return nil
				default:
					err = e.add(line)
				}
				if err != nil {
					return err
				}
			}
		})
	}
	return nil
}

// manyNames allows a file any number of names, in a directory into which only the program writes.
const manyNames = 1 << 20

// file reads one file of a queue, whose envelope read takes.
func (q *queueRun) file(name string, uid int, links uint64, read func(e *entry, f *os.File) error) {
	if q.ctx.Err() != nil {
		return
	}
	e := &entry{Message: Message{Source: name, UID: -1, Originals: []string{name}}, identity: name}
	f, st, err := q.open(name, uid, links)
	if err == nil {
		defer f.Close()
		e.Arrived = stamp(st)
		err = read(e, f)
	}
	if err != nil {
		e.body, e.env.Recipients = failing{err}, nil
	}
	q.take(e)
}

// failing is a message that can't be read.
type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// readDmaQueue: Q and an id is the envelope for one recipient, M and the id the message. Messages of several recipients
// have one file under several names. dma holds a lock on the file that it delivers.
func readDmaQueue(q *queueRun) error {
	if cron, err := openFile(q.Root, "/etc/cron.d/dma"); err == nil {
		_ = cron.Close()
		if program, err := openFile(q.Root, "/usr/sbin/dma"); err == nil {
			_ = program.Close()
			return errBusy("cron starts dma for this queue every five minutes (mv /etc/cron.d/dma /root/, or " +
				"remove the package dma)")
		}
	}
	const dir = "/var/spool/dma"
	names, err := q.files(dir, regexp.MustCompile(`^Q[^.]`))
	if err != nil {
		return sysexits.With(sysexits.NoInput, err)
	}
	for _, name := range names {
		id := path.Base(name)[1:]
		q.file(name, -1, manyNames, func(e *entry, f *os.File) error {
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				return fmt.Errorf("a process of dma (by the name of its caller's sendmail) holds it and tries it again for "+
					"days: end that one (fuser -k %s), then import again", name)
			}
			text := path.Join(dir, "M"+id)
			e.Originals = append(e.Originals, text)
			if err := e.dmaEnvelope(f, id); err != nil {
				return err
			}
			m, _, err := q.open(text, -1, manyNames)
			if err != nil {
				return err
			}
			e.body, e.end = m, m.Close
			return nil
		})
	}
	return nil
}

func (e *entry) dmaEnvelope(f *os.File, id string) error {
	seen := map[string]bool{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		key, value, _ := strings.Cut(sc.Text(), ": ")
		var err error
		switch key = strings.TrimSuffix(key, ":"); {
		case seen[key]:
			err = fmt.Errorf("it has two lines %.20q", key)
		case key == "ID" && value != id:
			err = fmt.Errorf("it is the envelope of %.40q", value)
		case key == "Sender" && strings.HasPrefix(value, "@"): // what dma makes of -f ''
			err = e.from("")
		case key == "Sender":
			err = e.from(value)
		case key == "Recipient":
			err = e.add(value)
		}
		if err != nil {
			return err
		}
		seen[key] = true
	}
	if err := sc.Err(); err != nil || !seen["ID"] || !seen["Sender"] || !seen["Recipient"] {
		return fmt.Errorf("it is cut off or damaged (%v)", err)
	}
	return nil
}

// msmtpQueues are where msmtp's scripts keep messages, below a home directory.
var msmtpQueues = []string{".msmtp.queue", ".msmtpqueue", ".local/share/msmtp/queue"}

// readMsmtpQueue: NAME.mail is the message, NAME.msmtp the command line, whose words blanks divide: the scripts wrote
// it with echo and call msmtp with what the shell makes of it.
func readMsmtpQueue(q *queueRun) error {
	looked, found := []string{}, false
	for _, home := range q.Homes {
		for _, sub := range msmtpQueues {
			dir := path.Join(home.Dir, sub)
			names, err := q.files(dir, regexp.MustCompile(`^[^.].*\.msmtp$`))
			if errors.Is(err, fs.ErrNotExist) {
				looked = append(looked, dir)
				continue
			}
			if err != nil {
				return sysexits.With(sysexits.NoInput, err)
			}
			found = true
			if lock, err := q.lstat(path.Join(dir, ".lock")); err == nil {
				return errBusy(path.Join(dir, lock.Name()) + ": msmtpq is at work on this queue, or was killed " +
					"(rmdir takes its lock away)")
			}
			for _, name := range names {
				q.msmtp(home, name)
			}
		}
	}
	if !found {
		return sysexits.With(sysexits.NoInput, fmt.Errorf("msmtp: no queue is there: looked for %s",
			strings.Join(looked, ", ")))
	}
	return nil
}

func (q *queueRun) msmtp(home Home, name string) {
	text := strings.TrimSuffix(name, ".msmtp") + ".mail"
	q.file(name, home.UID, 1, func(e *entry, f *os.File) error {
		e.UID = home.UID
		e.Originals = append(e.Originals, text)
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, maxFile)
		sc.Scan()
		if err := errors.Join(sc.Err(), e.msmtpCall(sc.Text(), home.User)); err != nil {
			return err
		}
		m, st, err := q.open(text, home.UID, 1)
		if err != nil {
			return err
		}
		e.Arrived, e.body, e.end = stamp(st), m, m.Close
		return nil
	})
}

// msmtpCall reads the words of a command line of msmtp(1). Without -f the user is the sender.
func (e *entry) msmtpCall(call, user string) error {
	sender := user
	words, operands := strings.Fields(call), false
	for i := 0; i < len(words); i++ {
		w := words[i]
		value := func() string {
			if i++; i < len(words) {
				return words[i]
			}
			return ""
		}
		name, attached, has := strings.Cut(w, "=")
		switch {
		case operands || !strings.HasPrefix(w, "-"):
			if err := e.add(w); err != nil {
				return err
			}
		case w == "--":
			operands = true
		case w == "-t", w == "--read-recipients":
			e.fromHeader = true
		case w == "-f", w == "-r":
			sender = value()
		case strings.HasPrefix(w, "-f"), strings.HasPrefix(w, "-r"):
			sender = w[2:]
		case name == "--from" && has:
			sender = attached
		case w == "--from":
			sender = value()
		case w == "--read-envelope-from", len(w) > 1 && strings.ContainsRune("imnvUGoPdS", rune(w[1])) && w[1] != '-':
		case len(w) == 2 && strings.ContainsRune("aCFNRVXLhOB", rune(w[1])), strings.HasPrefix(w, "--") && !has:
			if !strings.HasPrefix(w, "--") {
				value()
			}
		case strings.HasPrefix(w, "--"), len(w) > 2 && strings.ContainsRune("aCFNRVXLhOB", rune(w[1])):
		default:
			return fmt.Errorf("%.40q is no option of msmtp", w)
		}
	}
	return e.from(sender)
}
