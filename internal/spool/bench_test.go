package spool

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// filled makes a spool with n messages in a directory that lasts as long as the
// benchmark, without waiting for the disk.
func filled(b *testing.B, n int) *Spool {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "spool")
	s, _ := open(b, Options{Dir: dir, Ops: withoutSync()})
	env, msg := to("somebody@example.com"), large[:2048]
	for range n {
		put(b, s, env, msg)
	}
	_ = s.Close()
	s, _ = open(b, Options{Dir: dir, Limits: Limits{MaxMessages: 1 << 20, MaxBytes: 1 << 40,
		MaxMessagesPerUser: 1 << 20, KeepFree: 1}})
	return s
}

// BenchmarkPut is the cost of accepting 2 KB, synced, with n messages in the queue.
func BenchmarkPut(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := filled(b, n)
			env, msg := to("somebody@example.com"), large[:2048]
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				put(b, s, env, msg)
			}
		})
	}
}

// BenchmarkPutUsers is the same with messages of n users in the queue.
func BenchmarkPutUsers(b *testing.B) {
	for _, n := range []int{1, 2000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := filled(b, 0)
			if err := s.usage.update(func(t *table) {
				for uid := range n {
					t.add(1000+uid, 1, 2048)
				}
			}); err != nil {
				b.Fatal(err)
			}
			env, msg := to("somebody@example.com"), large[:2048]
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				put(b, s, env, msg)
			}
		})
	}
}

// BenchmarkFloor is what Put can't be faster than: a file, its fsync, a rename, and
// an fsync of the directory.
func BenchmarkFloor(b *testing.B) {
	dir := b.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	msg := []byte(large[:3072])
	for range b.N {
		f, err := os.CreateTemp(dir, "new-")
		if err != nil {
			b.Fatal(err)
		}
		_, err = f.Write(msg)
		for _, e := range []error{err, f.Sync(), os.Rename(f.Name(), f.Name()+"x"), d.Sync(), f.Close()} {
			if e != nil {
				b.Fatal(e)
			}
		}
	}
}

// BenchmarkPutParallel shows how concurrent submissions share the fsync of the directory.
func BenchmarkPutParallel(b *testing.B) {
	s := filled(b, 0)
	env, msg := to("somebody@example.com"), large[:2048]
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			put(b, s, env, msg)
		}
	})
}

// BenchmarkList is mailq with n messages in the queue.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := filled(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				got := 0
				if err := s.List(b.Context(), func(i Info) bool { got++; return i.Err == nil }); err != nil ||
					got != n {
					b.Fatal(got, err)
				}
			}
			b.StopTimer()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-of-process")
		})
	}
}

// BenchmarkClaimFinish is the spool's part in one delivery.
func BenchmarkClaimFinish(b *testing.B) {
	s := filled(b, b.N)
	ids, err := s.IDs()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, id := range ids {
		it, err := s.Claim(id)
		if err != nil {
			b.Fatal(err)
		}
		it.st.Recipients[0].State = Done
		if _, err := contentOf(it.Message()); err != nil {
			b.Fatal(err)
		}
		if err := it.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}
