package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a suffix and how many of the base (nanoseconds or bytes) it stands for.
type unit struct {
	suffix string
	factor int64
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Longest first, as formatting needs it.
var (
	timeUnits = [...]unit{
		{"w", int64(week)}, {"d", int64(day)}, {"h", int64(time.Hour)},
		{"m", int64(time.Minute)}, {"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
	sizeUnits = [...]unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
		{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
	}
)

// ParseDuration reads "10s", "5d" or "2h30m". A number without a unit is refused.
func ParseDuration(s string) (time.Duration, bool) {
	total := int64(0)
	if s == "" {
		return 0, false
	}
	for s != "" {
		n, rest, ok := quantity(s, timeUnits[:])
		if !ok || total > math.MaxInt64-n {
			return 0, false
		}
		total, s = total+n, rest
	}
	return time.Duration(total), true
}

// ParseSize reads "35MB" (10^6) or "150MiB" (2^20), a space before the unit allowed.
func ParseSize(s string) (int64, bool) {
	n, rest, ok := quantity(s, sizeUnits[:])
	return n, ok && rest == ""
}

// quantity reads one number with its unit and returns what follows.
func quantity(s string, units []unit) (n int64, rest string, ok bool) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return 0, "", false
	}
	s = strings.TrimPrefix(s[digits:], " ")
	end := 0
	for end < len(s) && ('a' <= s[end] && s[end] <= 'z' || 'A' <= s[end] && s[end] <= 'Z') {
		end++
	}
	for _, u := range units {
		if u.suffix == s[:end] {
			if n > math.MaxInt64/u.factor {
				return 0, "", false
			}
			return n * u.factor, s[end:], true
		}
	}
	return 0, "", false
}

// formatDuration is the inverse of parseDuration.
func formatDuration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	n := int64(d)
	for _, u := range timeUnits {
		// "7d" and "5d" read better than "1w" and what is left of it.
		if u.suffix == "w" && n%u.factor != 0 {
			continue
		}
		if q := n / u.factor; q > 0 {
			b.WriteString(strconv.FormatInt(q, 10))
			b.WriteString(u.suffix)
			n -= q * u.factor
		}
	}
	return b.String()
}

// formatSize is the inverse of parseSize, with the largest unit that divides n.
func formatSize(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.factor && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
