package host

import "testing"

func TestWholeMap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"         0          0 4294967295\n":         true,
		"         0       1000          1\n":         false,
		"0 0 1\n1 100000 65536\n":                    false,
		"0 0 65534\n65535 65535 4294901760\n":        false,
		"         0          0 4294967295\n 1 2 3\n": false,
		"": false,
	} {
		if got := wholeMap(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
