package xoauth

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestInitialResponse(t *testing.T) {
	t.Parallel()
	// The example of Microsoft's page.
	got := base64.StdEncoding.EncodeToString(InitialResponse("test@contoso.onmicrosoft.com",
		NewSecret("EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA")))
	want := "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
	if got != want {
		t.Errorf("response = %s, want %s", got, want)
	}
}

func TestInitialResponseLongToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("x", 8<<10)
	ir := InitialResponse("a@contoso.com", NewSecret(token))
	if want := "user=a@contoso.com\x01auth=Bearer " + token + "\x01\x01"; string(ir) != want {
		t.Errorf("%d bytes", len(ir))
	}
}

func TestInitialResponseRefusesInjection(t *testing.T) {
	t.Parallel()
	tests := []struct{ user, token string }{
		{"", "abc"}, {"a\x01auth=Bearer x", "abc"}, {"a\r", "abc"}, {"a\nb", "abc"}, {"a b", "abc"}, {"a\x00", "abc"},
		{"a\x7f", "abc"},
		{"a@b", ""}, {"a@b", "abc\x01"}, {"a@b", "abc\r\nQUIT"}, {"a@b", "a b"}, {"a@b", "\xff"},
	}
	for _, tt := range tests {
		if ir := InitialResponse(tt.user, NewSecret(tt.token)); ir != nil {
			t.Errorf("InitialResponse(%q, %q) = %q", tt.user, tt.token, ir)
		}
		err := CheckUser(tt.user)
		if err == nil {
			err = checkToken("token", tt.token)
		}
		if err == nil {
			t.Errorf("%q, %q: nothing says why", tt.user, tt.token)
			continue
		}
		checkLine(t, tt.user, err)
	}
}
