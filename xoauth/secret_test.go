package xoauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	s := NewSecret("hunter22")
	type nested struct {
		Public  Secret
		private Secret
		list    []Secret
		pointer *Secret
		any     any
	}
	n := nested{s, s, []Secret{s}, &s, s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, v := range []any{s, &s, n, &n, []any{s}, map[string]Secret{"k": s}, struct{ s Secret }{s}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	if b, err := json.Marshal([]any{s, n}); err != nil {
		t.Error(err)
	} else {
		out.Write(b)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "s", s, "n", n, "p", &n)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "s", s, "n", n)
	out.Write(logged.Bytes())
	for _, form := range []string{"hunter22", "68756e7465723232", "HUNTER22", "104 117 110"} {
		if strings.Contains(strings.ToLower(out.String()), strings.ToLower(form)) {
			t.Errorf("%q is in %s", form, out.String())
		}
	}
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	var s Secret
	if !s.Empty() || s.Reveal() != "" || s != NewSecret("") {
		t.Errorf("zero Secret: empty %v, text %q", s.Empty(), s.Reveal())
	}
	if err := s.UnmarshalText([]byte("hunter22")); err != nil || s.Empty() || s.Reveal() != "hunter22" {
		t.Errorf("UnmarshalText: %v, text %q", err, s.Reveal())
	}
	if s != NewSecret("hunter"+fmt.Sprint(22)) || s == NewSecret("hunter23") {
		t.Error("equality is not by text")
	}
	if err := s.UnmarshalText(nil); err != nil || !s.Empty() {
		t.Errorf("UnmarshalText of nothing: %v, empty %v", err, s.Empty())
	}
}
