package quota

import (
	"testing"
	"time"
)

func BenchmarkReserve(b *testing.B) {
	ledger := testLedger(b, nil)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		limits := Limits{MessagesPerMinute: 1 << 30, RecipientsPerDay: 1 << 30}
		if wait, err := ledger.Reserve("a@b", 1, limits, now); wait > 0 || err != nil {
			b.Fatal(wait, err)
		}
	}
}

func BenchmarkSlot(b *testing.B) {
	ledger := testLedger(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		release, ok := ledger.TrySlot("a@b", 3)
		if !ok {
			b.Fatal("no slot")
		}
		release()
	}
}
