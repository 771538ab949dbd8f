package host

import (
	"strings"
	"testing"
)

func TestIsDomain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, s := range []string{"a", "web1", "contoso.com", "1.2.3", "xn--mnchen-3ya.example", "münchen.example",
		"_dmarc.a",
		long, long + "." + long + "." + long + "." + long[:61]} {
		if !IsDomain(s) {
			t.Errorf("%q is none", s)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a b", "a@b", "a/b", "a\x00", "\xff.a",
		"[1]",
		long + "a", long + "." + long + "." + long + "." + long[:62]} {
		if IsDomain(s) {
			t.Errorf("%q is one", s)
		}
	}
}
