package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const deliveries = 1_000_000

// fill writes a month with so many deliveries, as an Exchange server answers them, and returns the size of the files.
func fill(b *testing.B, dir string) (size int64) {
	b.Helper()
	w := &Writer{Warn: func(err error) { b.Fatal(err) }}
	w.Configure(Options{Dir: dir, Days: 30, Size: 1 << 40})
	entries := make([]Entry, 0, 100)
	for i := range deliveries {
		at := noon.Add(-time.Duration(deliveries-i) * 2500 * time.Millisecond)
		id := fmt.Sprintf("%s-%016x", at.Format("20060102150405"), i*7919)
		e := Entry{Time: at, ID: id, UID: 1000 + i%50, Sender: "noreply@contoso.example", Origin: "",
			Recipient: fmt.Sprintf("customer.%06d@mail%d.example.org", i, i%40), Size: int64(2000 + i%9000),
			MessageID: fmt.Sprintf("%s.%08x@web1.contoso.example", at.Format("20060102150405"), i), Status: Sent,
			Enhanced: "2.0.0", Delay: 0.7 + float64(i%100)/10}
		e.Reply = "250 2.0.0 OK <" + e.MessageID + "> [Hostname=AM0PR01MB1234.eurprd01.prod.exchangelabs.com]"
		if i%50 == 0 {
			e.Status, e.Enhanced = Bounced, "5.1.10"
			e.Reply = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
		}
		if entries = append(entries, e); len(entries) == cap(entries) {
			w.Record(at, entries)
			entries = entries[:0]
		}
	}
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range all {
		fi, bad := os.Stat(path)
		if bad != nil {
			err = bad
			continue
		}
		size += fi.Size()
	}
	if err != nil {
		b.Fatal(err)
	}
	return size
}

// BenchmarkSearch looks through a million deliveries by each filter, and sums them up. The budget is one second on one
// processor, and 200 MB for the files.
func BenchmarkSearch(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "h")
	size := fill(b, dir)
	if size > 200e6 {
		b.Errorf("%d deliveries take %d bytes", deliveries, size)
	}
	uid, none := 1049, 4711
	for _, c := range []struct {
		name string
		f    Filter
		want int
	}{
		{"id", Filter{IDs: []string{fmt.Sprintf("%s-%016x", noon.Add(-2500*time.Millisecond).Format("20060102150405"),
			(deliveries-1)*7919)}}, 1},
		{"recipient", Filter{Recipient: "customer.777777@"}, 1},
		{"recipient-upper", Filter{Recipient: "CUSTOMER.777777@"}, 1},
		{"recipient-none", Filter{Recipient: "nobody@"}, 0},
		{"sender-none", Filter{Sender: "root@"}, 0},
		{"message-id", Filter{MessageID: fmt.Sprintf("%08x@web1", 777777)}, 1},
		{"status", Filter{Status: Bounced}, deliveries / 50},
		{"user", Filter{UID: &uid}, deliveries / 50},
		{"user-none", Filter{UID: &none}, 0},
		{"day", Filter{Since: noon.Add(-24 * time.Hour)}, 86400 * 10 / 25},
		{"everything", Filter{}, deliveries},
	} {
		b.Run(c.name, func(b *testing.B) {
			began := processor(b)
			for b.Loop() {
				n := 0
				if err := NewReader(dir).Each(context.Background(), &c.f, func(*Entry) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
				if n != c.want {
					b.Fatalf("%d found, want %d", n, c.want)
				}
			}
			b.ReportMetric(float64(size)/deliveries, "bytes/delivery")
			b.ReportMetric((processor(b)-began).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
	b.Run("sum", func(b *testing.B) {
		began := processor(b)
		defer func() { b.ReportMetric((processor(b)-began).Seconds()*1000/float64(b.N), "cpu-ms/op") }()
		for b.Loop() {
			if s, err := Sum(context.Background(), dir, 31, nil, noon); err != nil || s.All.Total() != deliveries {
				b.Fatal(s, err)
			}
		}
	})
}

// processor is the time that this process has had a processor, which other programs do not lengthen by much.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecord is what a delivery pays.
func BenchmarkRecord(b *testing.B) {
	w := &Writer{}
	w.Configure(Options{Dir: filepath.Join(b.TempDir(), "h"), Days: 30, Size: 200e6})
	e := []Entry{{Time: noon, ID: "20261201120000-0123456789abcdef", UID: 1001, Sender: "noreply@contoso.example",
		Recipient: "customer.123456@example.org", MessageID: "20261201120000.0123456789@web1", Status: Sent,
		Enhanced: "2.0.0", Delay: 0.7, Size: 4711}}
	for b.Loop() {
		w.Record(noon, e)
	}
}
