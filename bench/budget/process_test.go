package budget

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each round trip costs a delivery without an agent what a distant relay is away: the
// connect, the greeting, EHLO, STARTTLS, TLS 1.3, EHLO, AUTH, and the message in one flight.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.send()
	s.send()
	for _, m := range s.Messages() {
		within(t, "round trips", m.Trips, 8, "each is 20 to 200 ms to a caller who waits")
	}
}

// With the sign-in in one flight with the message it is one less, and a refused token of the
// cache is replaced as ever.
func TestPipelinedSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[smtp]", "[smtp]\npipeline_auth = true")
	s.send()
	s.send()
	for _, m := range s.Messages() {
		within(t, "round trips", m.Trips, 7, "that is what the setting is for")
	}
	s.RevokeTokens()
	s.send()
	within(t, "messages", int64(s.Stats().Messages), 3, "each once")
	within(t, "token requests", int64(s.TokenRequests()), 2, "one, and one for the token that was refused")
}

// Processes at the same moment share one token and three connections.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const processes = 12
	var wg sync.WaitGroup
	for range processes {
		wg.Go(s.send)
	}
	wg.Wait()
	st := s.Stats()
	within(t, "messages", int64(st.Messages), processes, "each process delivers")
	within(t, "token requests", int64(st.TokenRequests), 1, "Entra throttles an application that asks too often")
	within(t, "connections at once", int64(st.MaxConcurrent), 3,
		"Exchange Online refuses the fourth, after it has taken the data")
	within(t, "connections", int64(st.Connections), processes, "one for each process")
	if n := s.Refused(""); n > 0 {
		t.Errorf("%d replies were refusals", n)
	}
}

// Processes that only queue do not start a run of the queue each.
func TestCrowdInTheBackground(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[delivery]", "[delivery]\nmode = \"background\"")
	const processes = 40
	stop, most := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		for {
			n = max(n, runs(s.config))
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	var wg sync.WaitGroup
	for range processes {
		wg.Go(s.send)
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := s.WaitMessages(ctx, processes); err != nil {
		t.Error(err)
	}
	close(stop)
	st := s.Stats()
	within(t, "messages", int64(st.Messages), processes, "each once")
	within(t, "runs of the queue at once", int64(<-most), 3, "one sends, one waits for its end, one may be ending")
	within(t, "token requests", int64(st.TokenRequests), 1, "Entra throttles an application that asks too often")
	within(t, "connections at once", int64(st.MaxConcurrent), 3,
		"Exchange Online refuses the fourth, after it has taken the data")
	if n := s.Refused(""); n > 0 {
		t.Errorf("%d replies were refusals", n)
	}
	for start := time.Now(); runs(s.config) > 0 && time.Since(start) < 10*time.Second; {
		time.Sleep(5 * time.Millisecond) // the directory goes with the test
	}
}

// runs counts the runs of the queue that calls of the site have started.
func runs(config string) (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if all, err := os.ReadFile(path); err == nil && string(all) == "O365_SENDMAIL_CONFIG="+config+"\x00" {
			n++
		}
	}
	return n
}

func TestBinary(t *testing.T) {
	t.Parallel()
	fi, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	const reason = "pages are read and mapped at each start; a new dependency shows here first"
	within(t, "KiB of the binary", fi.Size()>>10, 12<<10+768, reason)
	if fi, err = os.Stat(front); err != nil {
		t.Fatal(err)
	}
	within(t, "KiB of the quick one", fi.Size()>>10, 3<<10, reason)
}

// What packages do before main runs is paid for each message. Its time depends on the
// machine; what it allocates does not.
func TestStart(t *testing.T) {
	t.Parallel()
	const reason = "start-up is paid for each message; GODEBUG=inittrace=1 shows who does it"
	// There is no configuration and no message; the trace comes before that is noticed.
	packages, size, allocations := initWork(t, program, "-bv", "someone@example.org")
	within(t, "packages with work at start", packages, 105, reason)
	within(t, "bytes allocated at start", size, 72<<10, reason)
	within(t, "allocations at start", allocations, 450, reason)
	packages, size, allocations = initWork(t, front, "-C", "/nonexistent")
	within(t, "packages with work at start of the quick program", packages, 30, reason)
	within(t, "bytes allocated at its start", size, 10<<10, reason)
	within(t, "allocations at its start", allocations, 110, reason)
}

// initWork adds up what package initialisation does in a call.
func initWork(t *testing.T, argv ...string) (packages, size, allocations int64) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		// init os @0.76 ms, 0.019 ms clock, 432 bytes, 9 allocs
		f := strings.Fields(line)
		if len(f) != 11 || f[0] != "init" {
			continue
		}
		b, err1 := strconv.ParseInt(f[7], 10, 64)
		n, err2 := strconv.ParseInt(f[9], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q is not understood", line)
		}
		packages, size, allocations = packages+1, size+b, allocations+n
	}
	if packages == 0 {
		t.Fatalf("no trace: %s", out)
	}
	return packages, size, allocations
}
