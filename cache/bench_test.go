package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"o365-sendmail/xoauth"
)

func noFetch(context.Context) (xoauth.Token, error) {
	return xoauth.Token{}, errors.New("fetch was called")
}

// BenchmarkWarm is what every message pays: a fresh token of 2 KiB on disk.
func BenchmarkWarm(b *testing.B) {
	c := New(Options{Dir: cacheDir(b)})
	plant(b, c, strings.Repeat("e", 2048), time.Now(), time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Options{Dir: c.dir}).Token(context.Background(), testKey, noFetch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReserve(b *testing.B) {
	c := New(Options{Dir: cacheDir(b)})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if wait, err := c.Reserve("a@b", 1, Limits{MessagesPerMinute: 1 << 30, RecipientsPerDay: 1 << 30}, now); wait > 0 || err != nil {
			b.Fatal(wait, err)
		}
	}
}

func BenchmarkSlot(b *testing.B) {
	c := New(Options{Dir: cacheDir(b)})
	b.ReportAllocs()
	for b.Loop() {
		release, ok := c.TrySlot("a@b", 3)
		if !ok {
			b.Fatal("no slot")
		}
		release()
	}
}
