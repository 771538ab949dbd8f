package config

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "5d": 120 * time.Hour, "2h30m": 150 * time.Minute, "1w": 168 * time.Hour,
		"500ms": time.Second / 2, "0s": 0, "1m1ms": time.Minute + time.Millisecond, "1 h": time.Hour,
	} {
		if got, ok := ParseDuration(in); !ok || got != want {
			t.Errorf("%q: %v %v", in, got, ok)
		}
		if again, ok := ParseDuration(formatDuration(want)); !ok || again != want {
			t.Errorf("%q comes back as %s", in, formatDuration(want))
		}
	}
	for _, in := range []string{"", "5", "s", "5x", "-5s", "5s ", " 5s", "1.5h", "5S", "99999999999w", "9223372036854775807s", "15250w1500w", "5s5", "5_0s", "٥s"} {
		if got, ok := ParseDuration(in); ok {
			t.Errorf("%q taken for %v", in, got)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"0B": 0, "35MB": 35e6, "150MiB": 150 << 20, "1 GiB": 1 << 30, "7kB": 7000, "7KB": 7000, "7KiB": 7 << 10, "2TiB": 2 << 40, "3TB": 3e12, "4GB": 4e9,
	} {
		if got, ok := ParseSize(in); !ok || got != want {
			t.Errorf("%q: %v %v", in, got, ok)
		}
		if again, ok := ParseSize(formatSize(want)); !ok || again != want {
			t.Errorf("%q comes back as %s", in, formatSize(want))
		}
	}
	for _, in := range []string{"", "5", "MB", "5M", "5mb", "-5MB", "1.5GB", "5MB5MB", "9223372036854775807kB", "5  MB", "5MB "} {
		if got, ok := ParseSize(in); ok {
			t.Errorf("%q taken for %v", in, got)
		}
	}
}
