package deliver

import (
	"context"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/submit"
)

// BenchmarkDrain empties a queue against the emulator in this process, with nothing between
// them; BenchmarkLoop sends the same messages from memory, which is the least that any
// client on this session could take. One operation is one message.
func BenchmarkDrain(b *testing.B) {
	for _, delay := range delays {
		b.Run(delay.String(), func(b *testing.B) { benchmarkDrain(b, delay) })
	}
}

// delays are half round trips.
var delays = [...]time.Duration{0, 25 * time.Millisecond}

func slowly(b *testing.B, delay time.Duration) func(*Account) {
	return func(a *Account) {
		if delay > 0 {
			a.Submit.DialContext = delayed(b, delay)
		}
	}
}

func benchmarkDrain(b *testing.B, delay time.Duration) {
	r := newRig(b, rigOptions{engine: func(o *EngineOptions) { o.Log = nil }, config: func(c *Config) { c.QueueInterval = time.Hour }, spool: unsynced, account: slowly(b, delay)})
	fill(b, r.sp, r.em.Mailbox, b.N, 50)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	b.ResetTimer()
	defer reportCPU(b)()
	go func() { done <- r.e.Run(ctx) }()
	if _, err := r.em.WaitMessages(ctx, b.N); err != nil {
		b.Fatal(err)
	}
	for r.e.sent() < b.N {
		time.Sleep(100 * time.Microsecond)
	}
	b.StopTimer()
	cancel()
	<-done
}

// reportCPU reports the processor time of client and server together, which does not depend on
// what else the machine does.
func reportCPU(b *testing.B) func() {
	start := cpuTime(b)
	return func() { b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op") }
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func (e *Engine) sent() int { return e.counters.read().Sent }

func BenchmarkLoop(b *testing.B) {
	for _, delay := range delays {
		b.Run(delay.String(), func(b *testing.B) { benchmarkLoop(b, delay) })
	}
}

func benchmarkLoop(b *testing.B, delay time.Duration) {
	r := newRig(b, rigOptions{account: slowly(b, delay)})
	a := r.e.config().Account
	env := testEnvelope(r.em.Mailbox)
	numbers := make(chan int, b.N)
	for i := range b.N {
		numbers <- i
	}
	close(numbers)
	b.ResetTimer()
	defer reportCPU(b)()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { loop(b, a, env, numbers) })
	}
	wg.Wait()
}

// loop sends what it is given, eight messages ahead of the replies.
func loop(b *testing.B, a *Account, env *envelope.Envelope, numbers <-chan int) {
	s, _, err := a.Dial(context.Background(), a.Mailbox)
	if err != nil {
		b.Error(err)
		return
	}
	defer s.Close()
	var flying []func() (*submit.Result, error)
	land := func() {
		if _, err := flying[0](); err != nil {
			b.Error(err)
		}
		flying = flying[1:]
	}
	for n := range numbers {
		if len(flying) == defaultDepth {
			land()
		}
		flying = append(flying, s.Begin(context.Background(), env, testMessage(a.Mailbox, strconv.Itoa(n))))
	}
	for len(flying) > 0 {
		land()
	}
}

func BenchmarkInteractive(b *testing.B) {
	r := newRig(b, rigOptions{engine: func(o *EngineOptions) { o.Log = nil }})
	r.run()
	b.ResetTimer()
	for i := range b.N {
		if receipt, err := r.e.Submit(context.Background(), testEnvelope(r.em.Mailbox),
			testMessage(r.em.Mailbox, strconv.Itoa(i))); err != nil || receipt.Queued {
			b.Fatalf("%+v, %v", receipt, err)
		}
	}
}
