package xoauth

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// jwt makes a token without a real signature.
func jwt(claims string) Secret {
	e := base64.RawURLEncoding
	return NewSecret(e.EncodeToString([]byte(`{"typ":"JWT","nonce":"n","alg":"RS256"}`)) + "." +
		e.EncodeToString([]byte(claims)) + ".c2ln")
}

func TestParseClaims(t *testing.T) {
	t.Parallel()
	got, err := ParseClaims(jwt(fmt.Sprintf(`{"aud":"https://outlook.office365.com","iss":"https://sts.windows.net/%s/","iat":1795465500,"nbf":1795465500,"exp":1795469400,
		"aio":"x","app_displayname":"mailer","appid":%q,"appidacr":"1","idp":"x","idtyp":"app","oid":"o-1","rh":"x","roles":["SMTP.SendAsApp"],"sub":"o-1","tid":%q,"uti":"u","ver":"1.0"}`, testTenant, testClient, testTenant)))
	want := Claims{
		Aud: []string{"https://outlook.office365.com"}, Iss: "https://sts.windows.net/" + testTenant + "/",
		TID:   testTenant,
		AppID: testClient, AppName: "mailer", AppIDACR: "1", OID: "o-1", Sub: "o-1", IDTyp: "app",
		Roles: []string{"SMTP.SendAsApp"},
		Scp:   []string{}, Ver: "1.0", UTI: "u",
		Exp: time.Unix(1795469400, 0).UTC(), Nbf: time.Unix(1795465500, 0).UTC(), Iat: time.Unix(1795465500, 0).UTC(),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("claims %+v, %v; want %+v", got, err, want)
	}
	if !got.Application() || !got.HasRole("SMTP.SendAsApp") || got.HasRole("Mail.Send") {
		t.Errorf("application %v, roles %q", got.Application(), got.Roles)
	}
}

func TestParseClaimsVariants(t *testing.T) {
	t.Parallel()
	got, err := ParseClaims(jwt(`{"aud":["a","b",5],"azp":"c","azpacr":"2","roles":"One","scp":"SMTP.Send openid","preferred_username":"p@x","exp":"1795469400","nbf":1.5e9}`))
	want := Claims{
		Aud: []string{"a", "b"}, AppID: "c", AppIDACR: "2", Roles: []string{"One"},
		Scp: []string{"SMTP.Send", "openid"}, UPN: "p@x",
		Exp: time.Unix(1795469400, 0).UTC(), Nbf: time.Unix(1500000000, 0).UTC(),
	}
	if err != nil || !reflect.DeepEqual(got, want) || got.Application() {
		t.Errorf("claims %+v, %v; want %+v", got, err, want)
	}
	padded := NewSecret("a." + base64.URLEncoding.EncodeToString([]byte(`{"tid":"é"}`)) + ".c")
	if got, err := ParseClaims(padded); err != nil || got.TID != "é" {
		t.Errorf("padded: %+v, %v", got, err)
	}
}

func TestParseClaimsRefuses(t *testing.T) {
	t.Parallel()
	for _, token := range []Secret{
		{}, NewSecret("EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA"), NewSecret("a.b"), NewSecret("a.b.c.d"),
		NewSecret("..."),
		NewSecret("a.@@secret@@.c"), NewSecret("a.c2VjcmV0.c"), jwt("[]"), jwt("null"), jwt(`{"exp":1`),
		jwt(`{"exp":"soon"}`), jwt(`{"nbf":{}}`), jwt(`{"iat":1e40}`),
	} {
		c, err := ParseClaims(token)
		if err == nil || !reflect.DeepEqual(c, Claims{}) {
			t.Errorf("ParseClaims(%q) = %+v, %v; want an error", token.Reveal(), c, err)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("error %q repeats the token", err)
		}
		checkLine(t, "claims", err)
	}
}

func FuzzParseClaims(f *testing.F) {
	for _, s := range []string{"", "a.b.c", jwt(`{"aud":["x"],"exp":1,"roles":["r"]}`).Reveal(),
		jwt(`{"exp":-1e300}`).Reveal()} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseClaims(NewSecret(s)); err != nil && !reflect.DeepEqual(c, Claims{}) {
			t.Errorf("claims %+v with error %v", c, err)
		}
	})
}
