package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", maxValue)
	for in, want := range map[string]string{
		"":                         "",
		"plain text":               "plain text",
		"grün":                     "grün",
		"a\nb\x1b[2J":              `a\nb\x1b[2J`,
		"a\xffb":                   `a\xffb`,
		"\uFFFD":                   "\uFFFD",
		"\u202e":                   `\u202e`,
		"\x7f":                     `\x7f`,
		"<a@b> <?php x ?> <<?= <":  `<a@b> \x3c?php x ?> <\x3c?= <`,
		strings.Repeat("a", 512):   strings.Repeat("a", 512),
		strings.Repeat("a", 513):   strings.Repeat("a", 509) + "...",
		strings.Repeat("a\n", 300): strings.Repeat(`a\n`, 170)[:509] + "...",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Clean(long); len(got) > maxValue || !utf8.ValidString(got) {
		t.Errorf("a long text became %q", got)
	}
	if got := Line(long + "\r"); got != long+`\r` {
		t.Errorf("Line has cut: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\xffb\n\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		short, whole := Clean(s), Line(s)
		if len(short) > maxValue || strings.ContainsAny(short, "\r\n\x00\x1b") || !utf8.ValidString(whole) {
			t.Errorf("%q, %q", short, whole)
		}
		if len(whole) <= maxValue && whole != short {
			t.Errorf("Clean is %q, Line is %q", short, whole)
		}
	})
}
