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
		if _, err := New(Options{Dir: c.dir.Path}).Token(context.Background(), testKey, noFetch); err != nil {
			b.Fatal(err)
		}
	}
}
