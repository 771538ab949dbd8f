package deliver

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/spool"
)

// long runs the tests at their full size: go test ./internal/deliver -long
var long = flag.Bool("long", false, "run the volume tests at their full size")

// Everything that 50 users queued while the server was down is delivered exactly once.
func TestBacklogOfManyUsers(t *testing.T) {
	t.Parallel()
	messages, users := 1500, 50
	if *long {
		messages = 10000
	}
	r := newRig(t, rigOptions{fakeClock: true, engine: func(o *EngineOptions) { o.Log = nil }, spool: unsynced})
	r.em.Update(func(s *emulator.State) { s.Network.SMTPClosed = true })
	fill(t, r.sp, r.em.Mailbox, messages, users)
	r.run()
	r.until("it is found that the server is down", func() bool { return len(r.e.State().Stops) == 1 })
	r.em.Update(func(s *emulator.State) { s.Network.SMTPClosed = false })
	start := time.Now()
	for len(r.ids()) > 0 {
		if time.Since(start) > 5*time.Minute {
			t.Fatalf("%d messages are left: %+v", len(r.ids()), r.e.State())
		}
		if len(r.e.State().Stops) > 0 {
			r.clock.advance(time.Minute)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("%d messages in %v", messages, time.Since(start).Round(time.Millisecond))
	got := r.subjects()
	for i := range messages {
		if s := strconv.Itoa(i); got[s] != 1 {
			t.Errorf("%s arrived %d times", s, got[s])
		}
	}
	if n := r.em.Refused("4"); n != 0 || r.em.MaxConcurrent() > 3 {
		t.Errorf("%d refusals, %d connections at once", n, r.em.MaxConcurrent())
	}
}

// fill queues messages that are numbered in their subjects, without syncing each.
func fill(t testing.TB, sp *spool.Spool, mailbox string, messages, users int) {
	t.Helper()
	for i := range messages {
		env := testEnvelope(mailbox)
		env.Caller.UID = 1000 + i%users
		if _, err := sp.Put(context.Background(), metaOf(env), env, testMessage(mailbox, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// The index of a long queue is small. The engine runs in a process of its own, whose peak of
// resident memory is what counts.
func TestMemoryOfALongQueue(t *testing.T) {
	if os.Getenv("DELIVER_CHILD") == "memory" {
		memoryChild(t)
		return
	}
	t.Parallel()
	messages := 5000
	if *long {
		messages = 100000
	}
	dir := t.TempDir()
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Ops: unsyncedOps()})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, sp, emulator.DefaultMailbox, messages, 50)
	_ = sp.Close()
	out, err := child(t, "memory", "TestMemoryOfALongQueue", dir, messages).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.Contains(line, "resident") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// child makes this test binary run one test in another process.
func child(t testing.TB, role, test, dir string, n int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), "DELIVER_CHILD="+role, "DELIVER_DIR="+dir, "DELIVER_N="+strconv.Itoa(n))
	return cmd
}

// mostResident is the most memory that this process has had, in KiB. ru_maxrss tells more: it begins, behind
// exec, with what the parent had.
func mostResident(t *testing.T) (n int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &n); err != nil {
		t.Fatalf("%v in %q", err, status)
	}
	return n
}

// memoryChild indexes the queue behind a fault, and looks at its memory.
func memoryChild(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("DELIVER_N"))
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(os.Getenv("DELIVER_DIR"), "spool")})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(EngineOptions{Config: Config{QueueInterval: time.Second}, Spool: sp})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	start := time.Now()
	go func() { done <- e.Run(ctx) }()
	for e.State().Ready < n {
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(start)
	before := e.scanner.scanned.Load()
	for e.scanner.scanned.Load() <= before { // until it has looked through the spool again
		time.Sleep(10 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	resident := mostResident(t)
	fmt.Printf("%d messages indexed in %v: heap %d KiB, resident at most %d KiB, %v of CPU\n", n,
		took.Round(time.Millisecond), m.HeapAlloc>>10, resident, time.Duration(u.Utime.Nano()+u.Stime.Nano()))
	if resident > 64<<10 && !raceDetector {
		t.Errorf("resident memory of %d KiB", resident)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Killed at any moment, an engine loses nothing: what the server has not taken is still there.
func TestKilledWhileDelivering(t *testing.T) {
	if os.Getenv("DELIVER_CHILD") == "kill" {
		killChild(t)
		return
	}
	t.Parallel()
	rounds, messages := 6, 200
	if *long {
		rounds, messages = 100, 5000
	}
	r := newRig(t, rigOptions{spool: unsynced})
	dir := r.dir
	fill(t, r.sp, r.em.Mailbox, messages, 5)
	writeChildConfig(t, dir, r.em)
	kills := 0
	for round := 0; round < rounds && len(r.ids()) > 0; round++ {
		cmd := child(t, "kill", "TestKilledWhileDelivering", dir, 0)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := len(r.em.Messages())
		for range 500 { // let it deliver some
			if len(r.em.Messages()) > seen+round {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if cmd.Process.Kill() == nil {
			kills++
		}
		_ = cmd.Wait()
	}
	left := len(r.ids())
	swept, err := r.sp.Sweep(context.Background())
	if err != nil || swept.Quarantined != 0 || swept.Messages != left {
		t.Errorf("after %d kills: %+v, %v, %d left", kills, swept, err, left)
	}
	r.run().untilEmpty()
	twice := 0
	got := r.subjects()
	for i := range messages {
		switch n := got[strconv.Itoa(i)]; {
		case n == 0:
			t.Errorf("%d is lost", i)
		case n > 1:
			twice++
		}
	}
	// What was under way at a kill may come twice: at most a window on each of 3 sessions.
	if most := kills * 3 * (defaultDepth + 1); twice > most {
		t.Errorf("%d came twice in %d kills", twice, kills)
	}
	t.Logf("%d kills, %d came twice, %d were left for the end", kills, twice, left)
}

// writeChildConfig tells a child where the emulator is.
func writeChildConfig(t *testing.T, dir string, em *emulator.Emulator) {
	t.Helper()
	_, port := em.SMTPAddr()
	text := strings.Join([]string{em.SMTPHost, strconv.Itoa(port), em.TokenURL(), em.Tenant, em.ClientID, em.ClientSecret, em.Mailbox}, "\n")
	if err := os.WriteFile(filepath.Join(dir, "child"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), em.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func killChild(t *testing.T) {
	dir := os.Getenv("DELIVER_DIR")
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool")})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(EngineOptions{Config: Config{Account: childAccount(t, dir), QueueInterval: time.Second}, Spool: sp})
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}
