package envelope

import (
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {Mode: "queue"}, {Mode: "interactive", NoAliases: true, Hops: 3, Tag: "cron", Partial: true},
		{Partial: true},
	} {
		if got := ParseOptions(o.Value()); got != o {
			t.Errorf("%+v became %+v by %q", o, got, o.Value())
		}
	}
	if v := (Options{Tag: "a\r\nBcc: x"}).Value(); strings.ContainsAny(v, "\r\n:") {
		t.Errorf("a tag got through as %q", v)
	}
	got := ParseOptions("mode=evil; hops=-4; hops=x; newer=1; ; partial")
	if got != (Options{Partial: true}) {
		t.Errorf("got %+v", got)
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("mode=queue; hops=3; tag=cron; partial")
	f.Add("refused x <\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		o := ParseOptions(s)
		if again := ParseOptions(o.Value()); again != o {
			t.Errorf("%+v became %+v", o, again)
		}
		if !slices.Contains([]string{"", "interactive", "background", "queue"}, o.Mode) {
			t.Errorf("mode %q", o.Mode)
		}
	})
}
