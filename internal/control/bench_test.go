package control

import (
	"context"
	"io"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/spool"
)

// BenchmarkList lists 100,000 messages as mailq does.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	const n = 100_000
	for i := range n {
		r.put(1000+i%50, "somebody@example.com", "somebody.else@example.org")
	}
	for name, q := range map[string]Queue{"spool alone": nil, "local": r.local, "agent": r.as(0),
		"nothing of mine": r.as(alice + 5000)} {
		b.Run(name, func(b *testing.B) {
			// The time on an idle machine with one processor, however busy this one is.
			start := cpu(b)
			defer func() { b.ReportMetric(float64((cpu(b)-start).Milliseconds())/float64(b.N), "cpu-ms/op") }()
			for range b.N {
				if q == nil {
					if err := r.spool.List(context.Background(), func(spool.Info) bool { return true }); err != nil {
						b.Fatal(err)
					}
					continue
				}
				list := queueview.NewList(io.Discard, &queueview.Explainer{Now: later})
				if _, err := q.List(context.Background(), queueview.Filter{}, list.Add); err != nil {
					b.Fatal(err)
				}
				if err := list.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
