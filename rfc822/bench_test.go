package rfc822

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func benchInput(kind string, size int) []byte {
	line := strings.Repeat("lorem ipsum ", 6)
	switch kind {
	case "LF":
		line += "\n"
	case "CRLF":
		line += "\r\n"
	case "8bit":
		line += "dolor sit amét\n"
	case "base64":
		line = strings.Repeat("QUJD", 19) + "\n"
	case "long":
		line = strings.Repeat("x", 1200) + "\n"
	}
	return []byte("From: a@b.c\nTo: d@e.f\nSubject: bench\n\n" + strings.Repeat(line, size/len(line)))
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name, kind string
		size       int
	}{{"1KiB", "LF", 1 << 10}, {"100KiB", "LF", 100 << 10}, {"LF", "LF", 20 << 20}, {"CRLF", "CRLF", 20 << 20},
		{"8bit", "8bit", 20 << 20}, {"base64", "base64", 20 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			input := benchInput(c.kind, c.size)
			dir := b.TempDir()
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := Read(bytes.NewReader(input), ReadOptions{TempDir: dir})
				if err != nil {
					b.Fatal(err)
				}
				m.Close()
			}
		})
	}
}

func BenchmarkWire(b *testing.B) {
	for _, c := range []struct {
		name, kind string
		size       int
		allow      bool
	}{{"unchanged/1KiB", "LF", 1 << 10, true}, {"unchanged/20MiB", "8bit", 20 << 20, true},
		{"QP", "8bit", 20 << 20, false}, {"QP/long", "long", 20 << 20, true}} {
		b.Run(c.name, func(b *testing.B) {
			m, err := Read(bytes.NewReader(benchInput(c.kind, c.size)), ReadOptions{TempDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			b.SetBytes(m.Body().Size)
			b.ReportAllocs()
			for b.Loop() {
				w, err := m.Wire(WireOptions{AllowEightBit: c.allow})
				if err != nil {
					b.Fatal(err)
				}
				r, err := w.Open()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.(io.WriterTo).WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAddressList(b *testing.B) {
	list := strings.Repeat(`"Doe, Joe" <joe@example.com>, root, =?utf-8?q?J=C3=B6?= <j@b.c>, `, 10)
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		ParseAddressList(list)
	}
}
