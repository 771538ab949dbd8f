package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// theirQueue is the queue of a program as its Debian package made it, below testdata/queue or root.
func theirQueue(t testing.TB, program, root string) QueueOptions {
	t.Helper()
	o := QueueOptions{Root: root, MaxSize: 1 << 20, See: func(Message) {}}
	var err error
	if o.Homes, err = Homes(root); err != nil {
		t.Fatal(err)
	}
	for i := range o.Homes { // testdata belongs to whoever runs the tests
		o.Homes[i].UID = os.Getuid()
	}
	if program == "postfix" {
		b, err := os.ReadFile("testdata/postcat.txt")
		if err != nil {
			t.Fatal(err)
		}
		o.Stdin = bytes.NewReader(b)
	}
	return o
}

var queuePrograms = []string{"nullmailer", "dma", "msmtp", "postfix"}

// copyQueues makes a copy of the queues, as two tests can't hold dma's lock at once.
func copyQueues(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/queue")); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestQueue: envelope and message of each, as the program's own delivery would have them.
func TestQueue(t *testing.T) {
	t.Parallel()
	for _, program := range queuePrograms {
		var b strings.Builder
		o := theirQueue(t, program, "testdata/queue")
		o.See = func(m Message) {
			fmt.Fprintf(&b, "%s: %s: %d bytes from <%s> to %q%s\n", m.Source, m.Fate, m.Bytes, m.Sender, m.Recipients,
				m.Note)
		}
		o.Keep = func(env *envelope.Envelope, msg *rfc822.Message, via string) (bool, error) {
			fmt.Fprintf(&b, "  %s ret=%q envid=%q", via, env.Ret, env.EnvID)
			for _, r := range env.Recipients {
				fmt.Fprintf(&b, " [%s notify=%s orcpt=%q]", r.Address, r.Notify, r.ORcpt)
			}
			wire, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true, AsIs: true})
			if err != nil {
				return false, err
			}
			r, err := wire.Open()
			if err != nil {
				return false, err
			}
			defer r.Close()
			text, err := io.ReadAll(r)
			fmt.Fprintf(&b, "\n%s", strings.ReplaceAll("  | "+strings.TrimSuffix(string(text), "\r\n"), "\r\n", "\n  | "))
			fmt.Fprintln(&b)
			return true, err
		}
		remove, err := Queue(t.Context(), program, o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, remove)
		file := "testdata/" + program + "-queue.want"
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != b.String() {
			t.Errorf("%s: %v\n%s", program, err, b.String())
		}
	}
}

func newSpool(t *testing.T) (*spool.Spool, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := spool.Open(spool.Options{Dir: dir, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, dir
}

func openKeeper(t *testing.T, s *spool.Spool, dir string) *Keeper {
	t.Helper()
	k, err := OpenKeeper(s, dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// takeOver is one import; it returns what became of each message.
func takeOver(t *testing.T, s *spool.Spool, dir, program, root string) (fates []string) {
	t.Helper()
	k := openKeeper(t, s, dir)
	defer k.Close()
	o := theirQueue(t, program, root)
	o.Keep = func(env *envelope.Envelope, msg *rfc822.Message, via string) (bool, error) {
		return k.Keep(t.Context(), env, msg, via)
	}
	o.See = func(m Message) { fates = append(fates, m.Fate+m.Note) }
	if _, err := Queue(t.Context(), program, o); err != nil {
		t.Fatal(err)
	}
	return fates
}

// TestKeepTwice: the second import takes nothing, also of what has left meanwhile.
func TestKeepTwice(t *testing.T) {
	t.Parallel()
	for _, program := range queuePrograms {
		root := copyQueues(t)
		s, dir := newSpool(t)
		first := takeOver(t, s, dir, program, root)
		ids, _ := s.IDs()
		if len(ids) != len(first) || len(ids) < 4 {
			t.Fatalf("%s: %q, %d in the queue", program, first, len(ids))
		}
		for _, id := range ids {
			i, err := s.Get(id)
			if err != nil || i.Status.Held || i.Status.Reason != "" || !i.Meta.Unprocessed() {
				t.Errorf("%s: %+v, %v", program, i, err)
			}
		}
		if err := s.Remove(ids[0]); err != nil {
			t.Fatal(err)
		}
		again := takeOver(t, s, dir, program, root)
		if now, _ := s.IDs(); len(now) != len(ids)-1 || slices.Contains(again, Kept) {
			t.Errorf("%s: %q, %d in the queue", program, again, len(now))
		}
	}
}

// TestKeepAfterKill: wherever an import ends, the next one makes of it one message that is free to go.
func TestKeepAfterKill(t *testing.T) {
	t.Parallel()
	env := func() *envelope.Envelope {
		return &envelope.Envelope{ID: messageID("x", []byte("sum"), time.Unix(1, 0)), Sender: "a@example.org",
			Recipients: []envelope.Recipient{{Address: "b@example.org"}}, Caller: envelope.Caller{UID: -1}}
	}
	read := func(t *testing.T) *rfc822.Message {
		msg, err := rfc822.Read(strings.NewReader("O365-Sendmail-Options: hops=99\nSubject: x\n\nx\n"), rfc822.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = msg.Close() })
		return msg
	}
	for name, before := range map[string]func(k *Keeper) error{
		"nothing":   func(*Keeper) error { return nil },
		"committed": func(k *Keeper) error { return k.put(context.Background(), env(), read(t), "from x") },
		"noted": func(k *Keeper) error {
			return errors.Join(k.put(context.Background(), env(), read(t), "from x"), k.append(env().ID+"\n"))
		},
		"half a note": func(k *Keeper) error {
			return errors.Join(k.put(context.Background(), env(), read(t), "from x"), k.append(env().ID[:20]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := newSpool(t)
			k := openKeeper(t, s, dir)
			if err := before(k); err != nil {
				t.Fatal(err)
			}
			k.Close()
			k = openKeeper(t, s, dir)
			isNew, err := k.Keep(t.Context(), env(), read(t), "from x")
			if err != nil || isNew != (name != "noted") {
				t.Errorf("new: %v, %v", isNew, err)
			}
			k.Close()
			ids, _ := s.IDs()
			if len(ids) != 1 || ids[0] != env().ID {
				t.Fatalf("%q", ids)
			}
			if i, err := s.Get(ids[0]); err != nil || i.Status.Held {
				t.Errorf("%+v, %v", i.Status, err)
			}
			r, err := s.OpenContent(ids[0])
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if text, _ := io.ReadAll(r); strings.Contains(string(text), "O365-Sendmail-Options") {
				t.Errorf("a stranger's options stay: %s", text)
			}
			k = openKeeper(t, s, dir)
			defer k.Close()
			if isNew, err := k.Keep(t.Context(), env(), read(t), "from x"); isNew || err != nil {
				t.Errorf("it was taken twice: %v", err)
			}
		})
	}
}

// TestOneImport: a second one at the same time is told to come later.
func TestOneImport(t *testing.T) {
	t.Parallel()
	s, dir := newSpool(t)
	k := openKeeper(t, s, dir)
	defer k.Close()
	if _, err := OpenKeeper(s, dir, time.Now); sysexits.Code(err, 0) != sysexits.TempFail {
		t.Error(err)
	}
}

// TestQueueForeign: what is no message of the program's is refused with a reason, and the others go on.
func TestQueueForeign(t *testing.T) {
	t.Parallel()
	const queue = "/var/spool/nullmailer/queue/"
	root := copyQueues(t)
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for name, make := range map[string]func(path string) error{
		"1.fifo":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"1.directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"1.symlink":   func(path string) error { return os.Symlink("1.empty", path) },
		"1.outside":   func(path string) error { return os.Symlink("/etc/passwd", path) },
		"1.huge":      func(path string) error { return errors.Join(write("")(path), os.Truncate(path, 1<<40)) },
		"1.$(id)":     write("a@example.org\nb@example.org\n\nSubject: x\n\nx\n"),
		"1 \n2":       write("a@example.org\nb@example.org\n\nSubject: x\n\nx\n"),
		"1.empty":     write(""),
		"1.cut":       write("a@example.org\nb@exam"),
		"1.norcpt":    write("a@example.org\n\nSubject: x\n\nx\n"),
		"1.control":   write("a@example.org\nb\x1b[2J@example.org\n\nSubject: x\n\nx\n"),
		"1.option":    write("a@example.org\n-oQ@example.org\n\nSubject: x\n\nx\n"),
		"1.long":      write("a@example.org\n" + strings.Repeat("x", 1<<17) + "@example.org\n\nSubject: x\n\nx\n"),
	} {
		if err := make(root + queue + name); err != nil {
			t.Fatal(err)
		}
	}
	s, dir := newSpool(t)
	fates := takeOver(t, s, dir, "nullmailer", root)
	taken := 0
	for _, f := range fates {
		switch {
		case f == Kept:
			taken++
		case !strings.HasPrefix(f, Refused) || len(f) < len(Refused)+10 || strings.ContainsAny(f, "\n\x1b"),
			strings.Contains(f, "EOF"):
			t.Errorf("%q", f)
		}
	}
	if len(fates) != 18 || taken != 5 {
		t.Errorf("%d of %d: %q", taken, len(fates), fates)
	}
}

// TestQueueBusy: a queue that its own program works on is refused as a whole.
func TestQueueBusy(t *testing.T) {
	t.Parallel()
	for program, make := range map[string]func(root string) error{
		"msmtp": func(root string) error { return os.Mkdir(root+"/home/alice/.msmtp.queue/.lock", 0o700) },
		"dma": func(root string) error {
			return errors.Join(os.MkdirAll(root+"/etc/cron.d", 0o755), os.MkdirAll(root+"/usr/sbin", 0o755),
				os.WriteFile(root+"/etc/cron.d/dma", nil, 0o644), os.WriteFile(root+"/usr/sbin/dma", nil, 0o755))
		},
	} {
		root := copyQueues(t)
		if err := make(root); err != nil {
			t.Fatal(err)
		}
		_, err := Queue(t.Context(), program, theirQueue(t, program, root))
		if sysexits.Code(err, 0) != sysexits.TempFail || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// TestPostcatDamaged: the output of postcat without -v, cut off, or of something else, takes nothing that may be wrong.
func TestPostcatDamaged(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/postcat.txt")
	if err != nil {
		t.Fatal(err)
	}
	full := strings.Count(string(whole), "*** ENVELOPE RECORDS")
	for name, tt := range map[string]struct {
		text  string
		takes int
	}{
		"without -v": {strings.ReplaceAll(string(whole), "regular_text: ", ""), 0},
		"nothing":    {"", 0},
		"other":      {"hello\n", 0},
		"cut":        {string(whole[:len(whole)-50]), full - 1},
		"cut inside": {strings.Replace(string(whole), "*** HEADER EXTRACTED", "*** ENVELOPE RECORDS y ***\n*** HEADER EXTRACTED", 1), full - 1},
		"redirected": {strings.Replace(string(whole), "sender: root", "redirect_to: x@example.org\nsender: root", 1), full - 1},
	} {
		o, takes := QueueOptions{Root: t.TempDir(), MaxSize: 1 << 20, Stdin: strings.NewReader(tt.text)}, 0
		o.See = func(m Message) {
			if m.Fate == Waits {
				takes++
			} else if m.Note == "" {
				t.Errorf("%s: %+v", name, m)
			}
		}
		_, err := Queue(t.Context(), "postfix", o)
		if takes != tt.takes || (name == "nothing" || name == "other") != (err != nil) {
			t.Errorf("%s: %d taken, %v", name, takes, err)
		}
	}
}

// TestUserOf: who handed a message in is what the program itself wrote, on this system, and not what a message says.
func TestUserOf(t *testing.T) {
	t.Parallel()
	const field = "Received: by web1 (Postfix, from userid 33)\n\tid 1\nSubject: x\n\nx\n"
	for _, tt := range []struct {
		program, root, text string
		untraced            bool
		want                int
	}{
		{"postfix", "/", field, false, 33},
		{"postfix", "/", field, true, -1},
		{"postfix", "/srv/backup", field, false, -1},
		{"postfix", "/", "Received: from x (uid 0)\n\tby web1\n" + field, false, -1},
		{"postfix", "/", "Received: from a.example (b [192.0.2.1])\n\tby web1 (Postfix, from userid 33)\n" + field, false, -1},
		{"nullmailer", "/", "Received: (nullmailer pid 1 invoked by uid 1000);\n\tnow\n\nx\n", false, 1000},
		{"dma", "/", "Received: from alice (uid 1000)\n\t(envelope-from x)\n\nx\n", false, 1000},
		{"dma", "/", "Subject: Received: from alice (uid 1000)\n\nx\n", false, -1},
		{"msmtp", "/", field, false, -1},
	} {
		msg, err := rfc822.Read(strings.NewReader(tt.text), rfc822.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer msg.Close()
		e := &entry{Message: Message{UID: -1}, untraced: tt.untraced}
		(&queueRun{QueueOptions: QueueOptions{Root: tt.root}, program: tt.program}).nameUser(e, msg)
		if e.UID != tt.want {
			t.Errorf("%s %q: uid %d, not %d", tt.program, tt.text, e.UID, tt.want)
		}
	}
}

// FuzzQueueFile: whatever lies in a queue, what is taken over has addresses that can go on.
func FuzzQueueFile(f *testing.F) {
	f.Add(0, []byte("a@example.org\nb@example.org\n\nSubject: x\n\nx\n"))
	f.Add(1, []byte("ID: 1\nSender: a@example.org\nRecipient: b@example.org\n"))
	f.Add(2, []byte("-oi -f a@example.org -- b@example.org\n"))
	whole, err := os.ReadFile("testdata/postcat.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(3, whole)
	files := []string{"/var/spool/nullmailer/queue/1.1", "/var/spool/dma/Q1", "/home/alice/.msmtp.queue/1.msmtp", "/in"}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		at := uint(i) % uint(len(files))
		root := t.TempDir()
		for _, d := range files {
			if err := os.MkdirAll(filepath.Dir(root+d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		message := []byte("Subject: x\nTo: c@example.org\n\nx\n")
		if err := errors.Join(os.WriteFile(root+files[at], text, 0o600),
			os.WriteFile(root+"/var/spool/dma/M1", message, 0o600),
			os.WriteFile(root+"/home/alice/.msmtp.queue/1.mail", message, 0o600)); err != nil {
			t.Fatal(err)
		}
		o := QueueOptions{Root: root, MaxSize: 1 << 20, Stdin: bytes.NewReader(text), See: func(Message) {},
			Homes: []Home{{UID: os.Getuid(), User: "alice", Dir: "/home/alice"}}}
		o.Keep = func(env *envelope.Envelope, _ *rfc822.Message, _ string) (bool, error) {
			if !spool.ValidID(env.ID) || len(env.Recipients) == 0 {
				t.Errorf("%+v", env)
			}
			for _, a := range env.Recipients {
				if a.Address == "" || strings.ContainsAny(a.Address, "\r\n\x00\x1b") || a.Address[0] == '-' {
					t.Errorf("%q", a.Address)
				}
			}
			return true, nil
		}
		_, _ = Queue(t.Context(), queuePrograms[at], o)
	})
}
