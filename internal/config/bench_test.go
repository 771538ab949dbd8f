package config

import "testing"

func BenchmarkLoadMinimal(b *testing.B) { benchmarkLoad(b, minimal) }
func BenchmarkLoadFull(b *testing.B)    { benchmarkLoad(b, full) }
func BenchmarkLoadSample(b *testing.B)  { benchmarkLoad(b, Sample()) }

func benchmarkLoad(b *testing.B, text string) {
	path := write(b, text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Loader{}).Load(path); err != nil {
			b.Fatal(err)
		}
	}
}
