package emulator_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

func TestToken(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	a := post(t, e, e.TokenURL(), secretForm(e))
	if a.Status != 200 || a.ExpiresIn != 3599 || a.RefreshIn != 0 || a.Refresh != "" ||
		!strings.Contains(a.Raw,
			`"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ0eXAiOiJKV1QiLCJub25jZSI6`) {
		t.Errorf("%s", a.Raw)
	}
	if n := len(a.Access); n < 1500 || n > 1800 {
		t.Errorf("the token has %d octets", n)
	}
	var header map[string]string
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(a.Access, ".")[0])
	if err != nil || json.Unmarshal(b, &header) != nil {
		t.Fatalf("header %q: %v", b, err)
	}
	if header["typ"] != "JWT" || header["alg"] != "RS256" || header["kid"] == "" || header["x5t"] != header["kid"] ||
		header["nonce"] == "" {
		t.Errorf("header: %v", header)
	}
	c := claimsOf(t, a.Access)
	for k, want := range map[string]any{
		"aud": "https://outlook.office365.com", "iss": "https://sts.windows.net/" + e.Tenant + "/",
		"idp": "https://sts.windows.net/" + e.Tenant + "/",
		"tid": e.Tenant, "appid": e.ClientID, "appidacr": "1", "idtyp": "app", "oid": emulator.DefaultObjectID,
		"sub": emulator.DefaultObjectID,
		"ver": "1.0", "app_displayname": "o365-sendmail",
	} {
		if c[k] != want {
			t.Errorf("claim %s is %v, want %v", k, c[k], want)
		}
	}
	if r, ok := c["roles"].([]any); !ok || len(r) != 1 || r[0] != "SMTP.SendAsApp" {
		t.Errorf("roles: %v", c["roles"])
	}
	if d := time.Until(time.Unix(int64(c["exp"].(float64)), 0)); d < 59*time.Minute || d > 61*time.Minute {
		t.Errorf("exp in %v", d)
	}
	for k, want := range map[string]string{"Cache-Control": "no-store, no-cache",
		"Content-Type": "application/json; charset=utf-8"} {
		if got := a.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	e.Update(func(s *emulator.State) { s.Entra.TokenSize, s.Entra.RefreshIn, s.Entra.ExpiresIn = 8192, 1800, 86399 })
	a = post(t, e, e.TokenURL(), secretForm(e))
	if n := len(a.Access); n < 8000 || n > 8400 || a.RefreshIn != 1800 || a.ExpiresIn != 86399 {
		t.Errorf("%d octets, %+v", n, a)
	}
	if got := secure(t, e).cmd("AUTH XOAUTH2 %s", blob(e.Mailbox, a.Access)); !strings.HasPrefix(got, "235") {
		t.Error(got)
	}
	for _, tenant := range []string{"contoso.test", "CONTOSO.onmicrosoft.com", strings.ToUpper(e.Tenant)} {
		if a := post(t, e, "https://"+e.LoginHost()+"/"+tenant+"/oauth2/v2.0/token", secretForm(e)); a.Access == "" {
			t.Errorf("%s: %s", tenant, a.Raw)
		}
	}
}

// TestTokenErrors: requests that are wrong.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	with := func(k, v string) url.Values { f := secretForm(e); f.Set(k, v); return f }
	without := func(k string) url.Values { f := secretForm(e); f.Del(k); return f }
	const unknown = "11111111-1111-4111-8111-111111111111"
	for _, tc := range []struct {
		name, tenant string
		form         url.Values
		status       int
		err          string
		code         int
		text         string
	}{
		{"no grant", e.Tenant, without("grant_type"), 400, "invalid_request", 900144,
			"The request body must contain the following parameter: 'grant_type'."},
		{"no client", e.Tenant, without("client_id"), 400, "invalid_request", 900144, "'client_id'."},
		{"no scope", e.Tenant, without("scope"), 400, "invalid_request", 900144, "'scope'."},
		{"no credential", e.Tenant, without("client_secret"), 401, "invalid_client", 7000218,
			"The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
		{"grant", e.Tenant, with("grant_type", "password"), 400, "unsupported_grant_type", 70003, ""},
		{"secret", e.Tenant, with("client_secret", emulator.DefaultSecretID), 401, "invalid_client", 7000215,
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, " +
				"not the client secret ID, for a secret added to app '" + e.ClientID + "'."},
		{"client", e.Tenant, with("client_id", emulator.DefaultRegistrationID), 400, "unauthorized_client", 700016,
			"Application with identifier '" + emulator.DefaultRegistrationID +
				"' was not found in the directory 'Contoso'. This can happen if"},
		{"scope form", e.Tenant, with("scope", "a b"), 400, "invalid_scope", 70011,
			"The provided value for the input parameter 'scope' is not valid. The scope a b is not valid."},
		{"scope default", e.Tenant, with("scope", "https://outlook.office365.com/SMTP.Send"), 400, "invalid_scope",
			1002012, "The provided value for scope https://outlook.office365.com/SMTP.Send is not valid. Client " +
				"credential flows must have a scope value with /.default suffixed to the resource identifier " +
				"(application ID URI)."},
		{"resource", e.Tenant, with("scope", "https://outlook.office365.us/.default"), 400, "invalid_resource", 500011,
			"The resource principal named https://outlook.office365.us was not found in the tenant named Contoso."},
		{"tenant", unknown, secretForm(e), 400, "invalid_request", 90002, "Tenant '" + unknown +
			"' not found. Check to make sure you have the correct tenant ID"},
		{"tenant domain", "fabrikam.test", secretForm(e), 400, "invalid_request", 90002,
			"Tenant 'fabrikam.test' not found."},
		{"tenant form", "contoso", secretForm(e), 400, "invalid_request", 900023,
			"Specified tenant identifier 'contoso' is neither a valid DNS name, nor a valid external domain."},
		{"common", "common", secretForm(e), 400, "invalid_request", 9001023,
			"The grant type is not supported over the /common or /consumers endpoints."},
		{"device code", e.Tenant, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
			"client_id": {emulator.DefaultPublicClientID}, "device_code": {"x"}}, 400, "bad_verification_code", 70018,
			""},
		{"refresh token", e.Tenant, url.Values{"grant_type": {"refresh_token"},
			"client_id": {emulator.DefaultPublicClientID}, "refresh_token": {"x"}}, 400, "invalid_grant", 9002313, ""},
		{"assertion type", e.Tenant, with("client_assertion", "a.b.c"), 400, "invalid_request", 900144,
			"'client_assertion_type'."},
		{"assertion", e.Tenant, assertionForm(e, "a.b.c"), 401, "invalid_client", 50027,
			"JWT token is invalid or malformed."},
	} {
		a := post(t, e, "https://"+e.LoginHost()+"/"+tc.tenant+"/oauth2/v2.0/token", tc.form)
		checkCode(t, a, tc.code, tc.text)
		if a.Status != tc.status || a.Error != tc.err {
			t.Errorf("%s: %d %s", tc.name, a.Status, a.Error)
		}
		if lines := strings.Split(a.Description, "\r\n"); len(lines) != 4 || lines[1] != "Trace ID: "+a.TraceID ||
			!strings.HasPrefix(lines[2], "Correlation ID: ") || !strings.HasPrefix(lines[3], "Timestamp: 20") {
			t.Errorf("%s: description %q", tc.name, a.Description)
		}
	}
	if n := e.Stats().AADSTS[900144]; n != 4 {
		t.Errorf("%d times 900144", n)
	}
	e.Update(func(s *emulator.State) { s.Entra.OneLine = true })
	if a := post(t, e, e.TokenURL(), url.Values{}); strings.Contains(a.Description, "\n") ||
		!strings.Contains(a.Description, "'grant_type'. Trace ID: ") {
		t.Errorf("one line: %q", a.Description)
	}
}

func TestTokenRequestForm(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	hc := httpClient(t, e)
	res, err := hc.Get(e.TokenURL())
	if err != nil {
		t.Fatal(err)
	}
	a := readAnswer(t, res)
	checkCode(t, a, 900561, "The endpoint only accepts POST requests. Received a GET request.")
	if a.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.Status)
	}
	res, err = hc.Post(e.TokenURL(), "application/json", strings.NewReader(`{"grant_type":"client_credentials"}`))
	if err != nil {
		t.Fatal(err)
	}
	checkCode(t, readAnswer(t, res), 900144, "'grant_type'")
	f := secretForm(e)
	f.Del("client_id")
	f.Del("client_secret")
	req, err := http.NewRequest(http.MethodPost, e.TokenURL(), strings.NewReader(f.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(e.ClientID), url.QueryEscape(e.ClientSecret))
	if res, err = hc.Do(req); err != nil {
		t.Fatal(err)
	}
	checkCode(t, readAnswer(t, res), 0, "")
}

func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	clk := newClock()
	e := emulator.New(t, withClock(clk))
	e.Update(func(s *emulator.State) {
		s.App(e.ClientID).Secrets["second"] = &emulator.Secret{Value: "second", Expires: clk.now().Add(time.Hour)}
	})
	f := secretForm(e)
	f.Set("client_secret", "second")
	checkCode(t, post(t, e, e.TokenURL(), f), 0, "")
	checkCode(t, post(t, e, e.TokenURL(), secretForm(e)), 0, "")
	clk.add(time.Hour)
	checkCode(t, post(t, e, e.TokenURL(), f), 7000222,
		"The provided client secret keys for app '"+e.ClientID+"' are expired.")
	checkCode(t, post(t, e, e.TokenURL(), secretForm(e)), 0, "")
}

func TestConditionalAccess(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	e.Update(func(s *emulator.State) { s.App(e.ClientID).Blocked = true })
	a := post(t, e, e.TokenURL(), secretForm(e))
	checkCode(t, a, 53003, "Access has been blocked by Conditional Access policies. The access policy does not allow "+
		"token issuance.")
	if a.Status != 400 || a.Error != "invalid_grant" || a.SubError != "message_only" ||
		!strings.Contains(a.Raw, `"claims":"{`) {
		t.Errorf("%s", a.Raw)
	}
}

func TestOpenIDConfiguration(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	get := func(tenant string) answer {
		res, err := httpClient(t, e).Get("https://" + e.LoginHost() + "/" + tenant +
			"/v2.0/.well-known/openid-configuration")
		if err != nil {
			t.Fatal(err)
		}
		return readAnswer(t, res)
	}
	if a := get("contoso.test"); a.Status != 200 || !strings.Contains(a.Raw, `"token_endpoint":"`+e.TokenURL()+`"`) {
		t.Errorf("%s", a.Raw)
	}
	checkCode(t, get("fabrikam.test"), 90002, "")
	checkCode(t, get("fabrikam"), 900023, "")
}

func TestNamesOfOptions(t *testing.T) {
	t.Parallel()
	const tenant, client = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
	e := emulator.New(t, func(o *emulator.Options) {
		o.Tenant, o.ClientID, o.ClientSecret, o.Mailbox = tenant, client, "sesame", "Box@fabrikam.test"
	})
	c := secure(t, e)
	if got := c.auth(e.Mailbox, token(t, e)); !strings.HasPrefix(got, "235") {
		t.Fatal(got)
	}
	if got := c.send(message(e)); !strings.HasPrefix(got, "250") {
		t.Error(got)
	}
	e = emulator.New(t, func(o *emulator.Options) { o.Tenant = "fabrikam.test" })
	if got := secure(t, e).auth(e.Mailbox, token(t, e)); !strings.HasPrefix(got, "235") {
		t.Error(got)
	}
}
