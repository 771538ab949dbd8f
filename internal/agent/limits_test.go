package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/route"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/sysexits"
)

func TestConnectionsPerUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, "max_connections_per_user = 2\n")
	s.start()
	for range 2 {
		c, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	_, err := route.Dial(context.Background(), route.AgentOptions{Path: s.socket, HostName: "x",
		Patience: 30 * time.Millisecond})
	if sysexits.Code(err, 0) != sysexits.TempFail || !strings.Contains(err.Error(), "max_connections_per_user") {
		t.Errorf("got %v", err)
	}
	var gone *route.UnreachableError
	if errors.As(err, &gone) {
		t.Error("a busy agent counts as none")
	}
}

// TestPatience: a client waits for its turn when the agent is busy for a moment.
func TestPatience(t *testing.T) {
	t.Parallel()
	s := newSite(t, "max_connections_per_user = 1\n")
	s.start()
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, c.Close)
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Error(err)
	}
}

func TestMessagesPerMinute(t *testing.T) {
	t.Parallel()
	s := newSite(t, "messages_per_minute_per_user = 2\n")
	s.start()
	for i := range 3 {
		_, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n")
		if i < 2 && err != nil || i == 2 && sysexits.Code(err, 0) != sysexits.TempFail {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if n := len(s.Messages()); n != 2 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	l := limits{now: func() time.Time { return now }}
	c := &config.Config{}
	c.Agent.MessagesPerMinutePerUser = 60
	taken := func(uid int) (n int) {
		for l.message(&guest{who: who{uid: uid}}, c) == nil {
			n++
		}
		return n
	}
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 60}, {0, 0}, {time.Second, 1}, {10 * time.Second, 10}, {time.Hour, 60}, {-time.Hour, 60}} {
		now = now.Add(step.wait)
		if got := taken(1); got != step.want {
			t.Errorf("after %v: %d messages, want %d", step.wait, got, step.want)
		}
	}
	if got := taken(2); got != 60 {
		t.Errorf("another user: %d messages", got)
	}
}

// TestForgetsUsers: a host with many users does not fill the agent's memory.
func TestForgetsUsers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	l := limits{now: func() time.Time { return now }}
	c := &config.Config{}
	c.Agent.MaxConnections, c.Agent.MaxConnectionsPerUser = 10, 10
	for uid := range 3 * manyUsers {
		g := &guest{who: who{uid: uid}}
		if err := l.enter(g, c); err != nil {
			t.Fatal(err)
		}
		l.leave(g)
	}
	if len(l.users) > manyUsers || l.total != 0 {
		t.Errorf("%d users, %d connections", len(l.users), l.total)
	}
}

func TestSpoolLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.write(strings.Replace(s.toml(""), "keep_free", "max_messages_per_user = 2\nkeep_free", 1))
	s.start()
	// The count may lag behind while the agent counts the queue afresh at its start.
	for i := range 10 {
		_, err := s.send(to("a@example.org"), envelope.Options{Mode: "queue"}, "A: 1\r\n\r\n")
		if err != nil {
			if i < 2 || sysexits.Code(err, 0) != sysexits.TempFail {
				t.Errorf("message %d: %v", i, err)
			}
			return
		}
	}
	t.Error("no message was refused")
}

// TestStoppedClients: clients that stand still, wherever they are, delay nobody, and are cut.
func TestStoppedClients(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.timeouts = smtpd.Timeouts{Command: 2 * time.Second, Data: 2 * time.Second, Transaction: 4 * time.Second}
	s.start()
	const start = "EHLO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<a@example.org>\r\n"
	var stopped []net.Conn
	for range 20 {
		for _, input := range []string{"", "EHL", start, start + "DATA\r\nSubject: x\r\n", start + "BDAT 100000 LAST\r\nSubject: x\r\n"} {
			c, err := net.Dial("unix", s.socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, input); err != nil {
				t.Fatal(err)
			}
			stopped = append(stopped, c)
		}
	}
	begin := time.Now()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Logf("a message took %v beside %d stopped clients", took, len(stopped))
	}
	for _, c := range stopped {
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a stopped client was not cut")
		}
	}
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestParallelClients(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[delivery]\nmessages_per_minute = 0\n")
	s.Update(func(st *emulatorState) { st.Limits.PerMinute = 0 })
	s.start()
	const clients = 100
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for i := range clients {
		wg.Go(func() {
			_, err := s.send(to(fmt.Sprintf("u%d@example.org", i)), envelope.Options{},
				fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i))
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	seen := map[string]int{}
	for _, m := range s.arrived(clients) {
		seen[m.Header("Subject")]++
	}
	if len(seen) != clients {
		t.Errorf("%d different messages arrived", len(seen))
	}
	if n := s.MaxConcurrent(); n > 3 {
		t.Errorf("%d connections at once", n)
	}
}

// TestEnd: at the end a caller that waits for the answer is told that the message is queued, one in the middle of a
// message may finish it, and one between messages gets 421.
func TestEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[delivery]\nwait = \"1m\"\n")
	s.write(strings.Replace(s.toml("[delivery]\nwait = \"1m\"\n"), "drain_timeout = \"5s\"", "drain_timeout = \"1s\"", 1))
	s.stall("dot")
	s.start()
	idle, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	half, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	fmt.Fprint(half, "EHLO x\r\nMAIL FROM:<x@y.org>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nSubject: half\r\n")
	type result struct {
		queued bool
		err    error
	}
	results := make(chan result, 1)
	go func() {
		r, err := s.send(to("a@example.org"), envelope.Options{}, "Subject: waits\r\n\r\n")
		results <- result{r.Queued, err}
	}()
	s.until("the message is under way", func() bool { return strings.Contains(s.Transcript(), "BDAT") })
	go s.stop()
	all, _ := io.ReadAll(idle)
	if !strings.HasSuffix(string(all), "421 4.3.2 the mail service is stopping; try again\r\n") {
		t.Errorf("the idle client got %q", all)
	}
	fmt.Fprint(half, "\r\nx\r\n.\r\n")
	all, _ = io.ReadAll(half)
	if !strings.Contains(string(all), "250 2.0.0 queued as ") {
		t.Errorf("the client in mid-message got %q", all)
	}
	if r := <-results; r.err != nil || !r.queued {
		t.Errorf("the waiting client got %+v", r)
	}
	s.stop()
	if n := s.queued(); n != 2 {
		t.Errorf("%d messages are in the queue\n%s", n, s.log())
	}
}

// TestNothingIsLeftRunning needs to be alone, so it is not parallel.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newSite(t, "")
	s.start()
	for range 5 {
		if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nBDAT 10\r\nabc")
	c.Close()
	s.stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.until("all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+1 })
}

// TestComingIn: messages that are still coming in count, too.
func TestComingIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.write(strings.Replace(s.toml(""), "keep_free", "max_bytes_per_user = \"1MiB\"\nkeep_free", 1))
	s.start()
	text := "A: 1\r\n\r\n" + strings.Repeat("x", 600<<10) + "\r\n"
	half := func() net.Conn {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		go fmt.Fprint(c, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nBDAT 10000000 LAST\r\n"+text)
		return c
	}
	c := half()
	a := s.agent
	coming := func() int64 {
		a.limits.mu.Lock()
		defer a.limits.mu.Unlock()
		return a.limits.bytes
	}
	s.until("half a message is there", func() bool { return coming() >= 600<<10 })
	if _, err := s.send(to("a@example.org"), envelope.Options{}, text); sysexits.Code(err, 0) != sysexits.TempFail ||
		!strings.Contains(err.Error(), "max_bytes_per_user") {
		t.Errorf("got %v", err)
	}
	c.Close()
	s.until("it is forgotten", func() bool { return coming() == 0 })
	if _, err := s.send(to("a@example.org"), envelope.Options{}, text); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := &config.Config{}
	c.Spool.Dir, c.Spool.KeepFree = t.TempDir(), 1<<62
	l := limits{now: time.Now}
	m := &meter{r: strings.NewReader(strings.Repeat("x", 2*lookEvery)), l: &l, g: &guest{}, c: c}
	n, err := io.Copy(io.Discard, m)
	if sysexits.Code(err, 0) != sysexits.TempFail || n > lookEvery {
		t.Errorf("%d bytes, %v", n, err)
	}
	if m.done(); l.bytes != 0 {
		t.Errorf("%d bytes are still counted", l.bytes)
	}
	c.Spool.KeepFree = 1
	if err := enoughDisk(c); err != nil {
		t.Error(err)
	}
}
