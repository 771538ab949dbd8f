package emulator_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func withClock(c *clock) func(*emulator.Options) {
	return func(o *emulator.Options) { o.Now = c.now }
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func certificate(t testing.TB, from, to time.Time) (der []byte, text string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(from.Unix()),
		Subject: pkix.Name{CommonName: "o365-sendmail"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return der, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// shortCertificate has a key that Entra does not take.
func shortCertificate(t testing.TB, now time.Time) (der []byte, text string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour)}
	if der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	return der, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func jwt(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	seg := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := seg(header) + "." + seg(claims)
	digest := sha256.Sum256([]byte(signed))
	var sig []byte
	var err error
	if header["alg"] == "PS256" {
		sig, err = rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:],
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		sig, err = rsa.SignPKCS1v15(rand.Reader, rsaKey(), crypto.SHA256, digest[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func assertionForm(e *emulator.Emulator, assertion string) url.Values {
	f := secretForm(e)
	f.Del("client_secret")
	f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	f.Set("client_assertion", assertion)
	return f
}

// certCase is an assertion with one thing wrong, or nothing.
type certCase struct {
	name   string
	change func(header, claims map[string]any)
	code   int // AADSTS, 0: a token
	text   string
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := emulator.New(t, withClock(c))
	der, text := certificate(t, c.now().Add(-time.Hour), c.now().Add(time.Hour))
	e.AddCertificate(text)
	oldDER, oldText := certificate(t, c.now().Add(-2*time.Hour), c.now().Add(-time.Hour))
	e.AddCertificate(oldText)
	shortDER, shortText := shortCertificate(t, c.now())
	e.AddCertificate(shortText)
	s256, s1, old, short := sha256.Sum256(der), sha1.Sum(der), sha256.Sum256(oldDER), sha256.Sum256(shortDER)
	set := func(k string, v any) func(h, cl map[string]any) { return func(_, cl map[string]any) { cl[k] = v } }
	for _, tc := range []certCase{
		{"PS256", nil, 0, ""},
		{"padded base64", func(h, _ map[string]any) { h["x5t#S256"] = base64.StdEncoding.EncodeToString(s256[:]) }, 0,
			""},
		{"RS256 with x5t", func(h, _ map[string]any) {
			delete(h, "x5t#S256")
			h["alg"], h["x5t"] = "RS256", base64.RawURLEncoding.EncodeToString(s1[:])
		}, 0, ""},
		{"audience of the real host", set("aud", "https://login.microsoftonline.com/"+e.Tenant+"/oauth2/v2.0/token"), 0,
			""},
		{"audience by domain", set("aud", "https://login.microsoftonline.com/contoso.test/oauth2/v2.0/token"), 0, ""},
		{"not registered", func(h, _ map[string]any) {
			h["x5t#S256"] = base64.RawURLEncoding.EncodeToString(make([]byte,
				32))
		}, 700027, "The certificate with identifier used to sign the client assertion is not registered on " +
			"application. [Reason - The key was not found., "},
		{"expired certificate", func(h,
			_ map[string]any) {
			h["x5t#S256"] = base64.RawURLEncoding.EncodeToString(old[:])
		}, 700027, "[Reason - The key used is expired., "},
		{"short key", func(h, _ map[string]any) { h["x5t#S256"] = base64.RawURLEncoding.EncodeToString(short[:]) },
			700027, "RSA key size 1024 is less than the minimum required 2048 bits"},
		{"wrong algorithm", func(h, _ map[string]any) { h["alg"] = "ES256" }, 50027, ""},
		{"signature of another algorithm", func(h, _ map[string]any) { h["sig"] = "RS256" }, 700027,
			"[Reason - The provided signature value did not match"},
		{"no thumbprint", func(h, _ map[string]any) { delete(h, "x5t#S256") }, 50027,
			"No certificate thumbprint specified in token header"},
		{"issuer", set("iss", "00000000-0000-0000-0000-000000000000"), 700211, ""},
		{"subject", set("sub", "00000000-0000-0000-0000-000000000000"), 700021, ""},
		{"audience", set("aud", "https://login.microsoftonline.com/"+e.Tenant+"/v2.0"), 700023,
			"Client assertion audience claim does not match Realm issuer."},
		{"expired", func(_, cl map[string]any) {
			cl["nbf"], cl["exp"] = c.now().Unix()-1000, c.now().Unix()-301
		}, 700024, "Client assertion is not within its valid time range. Current time: "},
		{"clock ahead", func(_, cl map[string]any) {
			cl["nbf"], cl["exp"] = c.now().Unix()+301, c.now().Unix()+900
		}, 700024, ""},
		{"no jti", func(_, cl map[string]any) { delete(cl, "jti") }, 50027, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := map[string]any{"alg": "PS256", "typ": "JWT",
				"x5t#S256": base64.RawURLEncoding.EncodeToString(s256[:])}
			claims := map[string]any{
				"aud": e.TokenURL(), "iss": e.ClientID, "sub": e.ClientID, "jti": tc.name, "nbf": c.now().Unix(),
				"exp": c.now().Unix() + 600,
			}
			if tc.change != nil {
				tc.change(header, claims)
			}
			assertion := jwt(t, header, claims)
			if header["sig"] != nil {
				assertion = assertion[:len(assertion)-8] + "AAAAAAAA"
			}
			a := post(t, e, e.TokenURL(), assertionForm(e, assertion))
			checkCode(t, a, tc.code, tc.text)
			if tc.code == 0 {
				if c := claimsOf(t, a.Access); c["appidacr"] != "2" {
					t.Errorf("appidacr is %v", c["appidacr"])
				}
				checkCode(t, post(t, e, e.TokenURL(), assertionForm(e, assertion)), 50027, "jti") // a replay
			}
		})
	}
}

func checkCode(t testing.TB, a answer, code int, text string) {
	t.Helper()
	switch {
	case code == 0 && a.Access == "":
		t.Errorf("no token: %s", a.Raw)
	case code != 0 && (len(a.Codes) != 1 || a.Codes[0] != code ||
		!strings.HasPrefix(a.Description, fmt.Sprintf("AADSTS%d: ", code)) || !strings.Contains(a.Description, text)):
		t.Errorf("want AADSTS%d %s, got %s", code, text, a.Raw)
	}
}

func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFederation(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	const subject = "system:serviceaccount:mail:Sendmail"
	issuer, err := e.AddFederation("https://kubernetes.example.test", subject)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := emulator.New(t).AddFederation("https://kubernetes.example.test", subject)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := *issuer
	elsewhere.URL = "https://other.example.test"
	for _, tc := range []struct {
		name      string
		from      *emulator.Issuer
		sub, aud  string
		life      time.Duration
		old       bool
		code      int
		inMessage string
	}{
		{"good", issuer, subject, emulator.AzureAudience, time.Hour, false, 0, ""},
		{"issuer", &elsewhere, subject, emulator.AzureAudience, time.Hour, false, 700211,
			"presented assertion issuer 'https://other.example.test'"},
		{"audience", issuer, subject, "api://other", time.Hour, false, 700212,
			"presented assertion audience 'api://other'"},
		{"subject", issuer, "system:x", emulator.AzureAudience, time.Hour, false, 700213,
			"presented assertion subject 'system:x'"},
		{"case", issuer, strings.ToLower(subject), emulator.AzureAudience, time.Hour, false, 7002138,
			"case-insensitive"},
		{"key", stranger, subject, emulator.AzureAudience, time.Hour, false, 50013, ""},
		{"stale", issuer, subject, emulator.AzureAudience, -time.Hour, false, 700024, ""},
		{"2022", issuer, "system:x", emulator.AzureAudience, time.Hour, true, 70021,
			"Assertion Issuer: 'https://kubernetes.example.test'. Assertion Subject: 'system:x'."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e.Update(func(s *emulator.State) { s.Entra.Federation2022 = tc.old })
			token, err := tc.from.Token(tc.sub, tc.aud, tc.life)
			if err != nil {
				t.Fatal(err)
			}
			checkCode(t, post(t, e, e.TokenURL(), assertionForm(e, token)), tc.code, tc.inMessage)
		})
	}
}

// TestFederationEC takes an issuer that signs with P-256.
func TestFederationEC(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	e.Update(func(s *emulator.State) {
		s.Issuers = map[string]json.RawMessage{"https://i.test": json.RawMessage(fmt.Sprintf(`{"keys":[{"kty":"EC","kid":"k","crv":"P-256","x":%q,"y":%q}]}`, b64(pub[1:33]), b64(pub[33:])))}
		s.App(e.ClientID).Federated = map[string]*emulator.Federation{"a": {Issuer: "https://i.test", Subject: "s",
			Audience: "aud"}}
	})
	signed := b64([]byte(`{"alg":"ES256","kid":"k"}`)) + "." +
		b64(fmt.Appendf(nil, `{"iss":"https://i.test","sub":"s","aud":"aud","exp":%d}`, time.Now().Unix()+60))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	checkCode(t, post(t, e, e.TokenURL(), assertionForm(e, signed+"."+b64(sig))), 0, "")
	sig[5]++
	checkCode(t, post(t, e, e.TokenURL(), assertionForm(e, signed+"."+b64(sig))), 50013, "")
}

// TestDelegatedErrors are the refusals of device code requests.
func TestDelegatedErrors(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	ask := func(tenant, client, scope string) answer {
		return post(t, e, "https://"+e.LoginHost()+"/"+tenant+"/oauth2/v2.0/devicecode",
			url.Values{"client_id": {client}, "scope": {scope}})
	}
	const send = "https://outlook.office.com/SMTP.Send offline_access"
	for _, tc := range []struct {
		tenant, client, scope string
		code                  int
	}{
		{"common", emulator.DefaultPublicClientID, send, 0},
		{"organizations", emulator.DefaultPublicClientID, send, 0},
		{"common", "00000000-0000-4000-8000-000000000000", send, 700016},
		{"fabrikam.test", emulator.DefaultPublicClientID, send, 90002},
		{e.Tenant, emulator.DefaultPublicClientID, "offline_access", 70011},
		{e.Tenant, emulator.DefaultPublicClientID, "SMTP.Send", 70011},
		{e.Tenant, emulator.DefaultPublicClientID, "https://example.test/SMTP.Send", 500011},
		{e.Tenant, emulator.DefaultPublicClientID, "https://outlook.office.com/IMAP.AccessAsUser.All", 65001},
		{e.Tenant, emulator.DefaultPublicClientID, "", 900144},
		{e.Tenant, "", send, 900144},
	} {
		a := ask(tc.tenant, tc.client, tc.scope)
		if tc.code == 0 {
			if a.DeviceCode == "" {
				t.Errorf("%s: %s", tc.tenant, a.Raw)
			}
			continue
		}
		checkCode(t, a, tc.code, "")
	}
}

func TestDeviceCode(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := emulator.New(t, withClock(c))
	base := strings.TrimSuffix(e.TokenURL(), "token")
	start := func() answer {
		return post(t, e, base+"devicecode", url.Values{"client_id": {emulator.DefaultPublicClientID},
			"scope": {"https://outlook.office.com/SMTP.Send offline_access"}})
	}
	poll := func(code string) answer {
		return post(t, e, e.TokenURL(), url.Values{"client_id": {emulator.DefaultPublicClientID},
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}})
	}
	refresh := func(token string) answer {
		return post(t, e, e.TokenURL(), url.Values{"client_id": {emulator.DefaultPublicClientID},
			"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	want := func(a answer, status int, err string, code int) {
		t.Helper()
		checkCode(t, a, code, "")
		if a.Status != status || a.Error != err {
			t.Errorf("status %d, error %q, want %d, %q", a.Status, a.Error, status, err)
		}
	}
	d := start()
	if d.Interval != 5 || len(d.UserCode) != 9 {
		t.Fatalf("device code: %s", d.Raw)
	}
	want(poll(d.DeviceCode), 400, "authorization_pending", 70016)
	if err := e.ApproveDevice(d.UserCode, emulator.DefaultUser); err != nil {
		t.Fatal(err)
	}
	a := poll(d.DeviceCode)
	want(a, 200, "", 0)
	want(poll(d.DeviceCode), 400, "bad_verification_code", 70018)
	cl := claimsOf(t, a.Access)
	if cl["scp"] != "SMTP.Send" || cl["upn"] != emulator.DefaultUser || cl["idtyp"] != "user" || cl["appidacr"] != "0" {
		t.Errorf("claims: %v", cl)
	}
	// The user's own mailbox, a shared one with FullAccess, and one without.
	for user, reply := range map[string]string{emulator.DefaultUser: "235", e.Mailbox: "235",
		"alerts@contoso.test": "535 5.7.3"} {
		if got := secure(t, e).auth(user, a.Access); !strings.HasPrefix(got, reply) {
			t.Errorf("%s: %q, want %s", user, got, reply)
		}
	}
	b := refresh(a.Refresh)
	want(b, 200, "", 0)
	if b.Refresh == "" || b.Refresh == a.Refresh {
		t.Error("no new refresh token")
	}
	c.add(89 * 24 * time.Hour)
	want(refresh(b.Refresh), 200, "", 0)
	c.add(90 * 24 * time.Hour)
	want(refresh(b.Refresh), 400, "invalid_grant", 700082)
	d = start()
	if err := e.DeclineDevice(d.UserCode); err != nil {
		t.Fatal(err)
	}
	want(poll(d.DeviceCode), 400, "authorization_declined", 70017)
	d = start()
	c.add(16 * time.Minute)
	want(poll(d.DeviceCode), 400, "expired_token", 70020)
	e.Update(func(s *emulator.State) { s.Entra.DeviceUser = emulator.DefaultUser })
	a = poll(start().DeviceCode)
	e.RevokeRefreshTokens()
	want(refresh(a.Refresh), 400, "invalid_grant", 50173)
	f := secretForm(e)
	f.Set("client_id", emulator.DefaultPublicClientID)
	want(post(t, e, e.TokenURL(), f), 401, "invalid_client", 700025)
}

func TestPersonalAccount(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) {
		o.State = func(s *emulator.State) { s.Entra.DeviceUser = emulator.DefaultPersonal }
	})
	base := "https://" + e.LoginHost() + "/consumers/oauth2/v2.0/"
	d := post(t, e, base+"devicecode", url.Values{"client_id": {emulator.DefaultPublicClientID},
		"scope": {"https://outlook.office.com/SMTP.Send offline_access"}})
	a := post(t, e, base+"token", url.Values{"client_id": {emulator.DefaultPublicClientID},
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.DeviceCode}})
	if a.Access == "" || strings.Contains(a.Access, ".") {
		t.Fatalf("want an opaque token: %s", a.Raw)
	}
	if got := secure(t, e).auth(emulator.DefaultPersonal, a.Access); got != "235 2.7.0 Authentication successful" {
		t.Error(got)
	}
	checkCode(t, post(t, e, base+"token", secretForm(e)), 9001023, "/common or /consumers")
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	get := func(target string, header map[string]string, query string) answer {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, target+"?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var m map[string]any
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			t.Fatal(err)
		}
		if v, ok := m["expires_in"]; ok {
			if _, isString := v.(string); !isString {
				t.Errorf("expires_in is %T", v)
			}
		}
		a := answer{Status: res.StatusCode, Header: res.Header}
		a.Access, _ = m["access_token"].(string)
		a.Error, _ = m["error"].(string)
		return a
	}
	const resource = "&resource=https%3A%2F%2Foutlook.office365.com"
	md := map[string]string{"Metadata": "true"}
	imds := e.IdentityURL() + "/metadata/identity/oauth2/token"
	a := get(imds, md, "api-version=2018-02-01"+resource)
	if got := secure(t, e).auth(e.Mailbox, a.Access); got != "235 2.7.0 Authentication successful" {
		t.Error(got)
	}
	forwarded := maps.Clone(md)
	forwarded["X-Forwarded-For"] = "192.0.2.1"
	for _, tc := range []struct {
		name   string
		header map[string]string
		query  string
		status int
		err    string
	}{
		{"no header", nil, "api-version=2018-02-01" + resource, 400, "bad_request_102"},
		{"proxy", forwarded, "api-version=2018-02-01" + resource, 400, "bad_request_102"},
		{"no version", md, resource, 400, "invalid_request"},
		{"no resource", md, "api-version=2018-02-01", 400, "invalid_resource"},
		{"scope for resource", md, "api-version=2018-02-01" + resource + "%2F.default", 400, "invalid_resource"},
		{"no identity", md, "api-version=2018-02-01&client_id=1" + resource, 400, "invalid_request"},
	} {
		if a := get(imds, tc.header, tc.query); a.Status != tc.status || a.Error != tc.err || a.Access != "" {
			t.Errorf("%s: %+v", tc.name, a)
		}
	}
	e.Update(func(s *emulator.State) { s.App(emulator.DefaultIdentityID).ManagedIdentity = "user" })
	for _, id := range []string{"client_id=" + emulator.DefaultIdentityID, "object_id=" +
		emulator.DefaultIdentityObjectID, "msi_res_id=/subscriptions/1/userAssignedIdentities/web1", ""} {
		if a := get(imds, md, "api-version=2018-02-01"+resource+"&"+id); a.Access == "" {
			t.Errorf("user-assigned by %s: %+v", id, a)
		}
	}

	env := e.IdentityEnv("app-service")
	if a := get(env["IDENTITY_ENDPOINT"], map[string]string{"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]},
		"api-version=2019-08-01"+resource); a.Access == "" {
		t.Errorf("App Service: %+v", a)
	}
	if a := get(env["IDENTITY_ENDPOINT"], map[string]string{"X-IDENTITY-HEADER": "x"},
		"api-version=2019-08-01"+resource); a.Status != 403 {
		t.Errorf("App Service without the secret: %+v", a)
	}

	arc := e.IdentityEnv("arc")["IDENTITY_ENDPOINT"]
	a = get(arc, md, "api-version=2020-06-01"+resource)
	path, ok := strings.CutPrefix(a.Header.Get("WWW-Authenticate"), "Basic realm=")
	if a.Status != 401 || !ok || filepath.Dir(path) != e.ArcKeyDir() || filepath.Ext(path) != ".key" {
		t.Fatalf("Arc: %+v", a)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	md["Authorization"] = "Basic " + string(key)
	if a := get(arc, md, "api-version=2020-06-01"+resource); a.Access == "" {
		t.Errorf("Arc with the key: %+v", a)
	}
	if a := get(arc, md, "api-version=2020-06-01"+resource); a.Status != 401 {
		t.Errorf("Arc's key twice: %+v", a)
	}
	e.Update(func(s *emulator.State) { s.Entra.ManagedIdentityDown = true })
	if a := get(imds, md, "api-version=2018-02-01"+resource); a.Status != 410 {
		t.Errorf("down: %+v", a)
	}
}
