package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// queue commits standard input: file and directory are on disk when it returns.
func (o *options) queue() {
	dir, err := os.Open(o.put)
	must(err)
	name := filepath.Join(o.put, "m"+strconv.Itoa(os.Getpid()))
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	must(err)
	_, err = io.Copy(f, os.Stdin)
	must(err)
	must(f.Sync())
	must(os.Rename(name+".new", name))
	must(dir.Sync())
	if !o.start {
		return
	}
	self, err := os.Executable()
	must(err)
	_, err = os.StartProcess(self, []string{
		self, "-drain", o.put, "-addr", o.addr, "-user", o.user, "-token-file", o.tokenFile, "-ca-file", o.caFile,
		"-from", o.from, "-to", o.to, "-sessions", fmt.Sprint(o.sessions), "-ahead", fmt.Sprint(o.ahead),
	}, &os.ProcAttr{Dir: "/", Sys: &syscall.SysProcAttr{Setsid: true}})
	must(err)
}

// waiting lists the committed messages.
func (o *options) waiting() (names []string) {
	entries, err := os.ReadDir(o.drain)
	must(err)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".new") {
			names = append(names, filepath.Join(o.drain, e.Name()))
		}
	}
	return names
}

// empty sends what waits. One process at a time does: the others leave it to that one,
// which looks again after it has let go.
func (o *options) empty() {
	dir, err := os.Open(o.drain)
	must(err)
	for len(o.waiting()) > 0 {
		if syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return
		}
		for names := o.waiting(); len(names) > 0; names = o.waiting() {
			o.deliver(names)
		}
		must(syscall.Flock(int(dir.Fd()), syscall.LOCK_UN))
	}
}

// sent is a message whose replies are due.
type sent struct {
	name    string
	replies int
}

func (o *options) deliver(names []string) {
	work := make(chan string, len(names))
	for _, n := range names {
		work <- n
	}
	close(work)
	var wg sync.WaitGroup
	for range min(o.sessions, len(names)) {
		wg.Go(func() { o.run(work) })
	}
	wg.Wait()
}

// run is one session: one goroutine sends, the other reads the replies and removes.
func (o *options) run(work <-chan string) {
	s := o.dial()
	finish := func(m sent) {
		s.expect(m.replies)
		must(os.Remove(m.name))
	}
	due := make(chan sent, max(o.ahead-2, 0)) // one more is with the reader, one with us
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range due {
			finish(m)
		}
	}()
	for name := range work {
		f, err := os.Open(name)
		must(err)
		m := sent{name, s.send(o, f)}
		must(f.Close())
		if o.ahead > 1 {
			due <- m
		} else {
			finish(m)
		}
	}
	close(due)
	<-done
	_, _ = io.WriteString(s.conn, "QUIT\r\n")
	_ = s.conn.Close()
}
