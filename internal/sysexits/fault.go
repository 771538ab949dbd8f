package sysexits

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"o365-sendmail/internal/printable"
)

// logSocket is where syslog or the journal listens; tests have another.
var logSocket = "/dev/log"

var once sync.Once

// Catch is deferred first in main and in each goroutine of a process that a caller waits for.
func Catch() {
	if p := recover(); p != nil {
		end(p)
	}
}

// Go runs f in a goroutine with Catch.
func Go(f func()) {
	go func() {
		defer Catch()
		f()
	}()
}

// end reports the first fault and ends the process.
func end(p any) {
	once.Do(func() {
		what := describe(p)
		fmt.Fprintf(os.Stderr, "%s: error: fault of this program: %s; the system's log has its place, please "+
			"report it\n", printable.Clean(filepath.Base(os.Args[0])), what)
		tell(what + place())
		os.Exit(Software)
	})
	select {} // another goroutine is at it
}

// describe says what happened. Only the runtime's own words are sure to hold nothing of a message or a secret.
func describe(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return printable.Clean(err.Error())
	}
	return fmt.Sprintf("panic with a value of type %T", p)
}

// place is the stack: functions and lines, no values.
func place() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	var b strings.Builder
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&b, " < %s:%d", f.Function, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}

// tell writes one line to the system's log (facility mail, severity critical; RFC 3164 as /dev/log has it). Package
// net would come into every package that names an exit code.
func tell(text string) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer syscall.Close(fd)
	if syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &syscall.Timeval{Sec: 1}) != nil {
		return // a log that does not read must not keep the caller
	}
	line := fmt.Sprintf("<18>%s o365-sendmail[%d]: fault of this program: %s", time.Now().UTC().Format(time.Stamp),
		os.Getpid(), text)
	_ = syscall.Sendto(fd, []byte(line), 0, &syscall.SockaddrUnix{Name: logSocket})
}
