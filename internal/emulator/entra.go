package emulator

import (
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// tokenAnswer is what the token endpoint says when all is well.
type tokenAnswer struct {
	Type         string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	RefreshIn    int    `json:"refresh_in,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// tokenRequest is one request with what was found out about it on the way.
type tokenRequest struct {
	e        *Emulator
	st       *State
	now      time.Time
	host     string // of the request
	path     string // tenant as the URL names it
	form     url.Values
	tenantID string
	tenant   *Tenant
	clientID string
	app      *App
	acr      string // claim appidacr: "0" public, "1" secret, "2" certificate or federation
}

// entraHandler is the HTTPS side: login.microsoftonline.com.
func (e *Emulator) entraHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{tenant}/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		e.serveEntra(w, r, "token", (*tokenRequest).token)
	})
	mux.HandleFunc("/{tenant}/oauth2/v2.0/devicecode", func(w http.ResponseWriter, r *http.Request) {
		e.serveEntra(w, r, "devicecode", (*tokenRequest).deviceCode)
	})
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", e.serveOpenID)
	return mux
}

// serveEntra runs one of the POST endpoints: counting, faults, the checks that all
// grants share, and the answer in Entra's shape.
func (e *Emulator) serveEntra(w http.ResponseWriter, r *http.Request, stage string,
	answer func(*tokenRequest) (any, error)) {
	st := e.current()
	now := e.entraNow(st)
	e.count(func(s *Stats) {
		s.TokenRequests++
		s.TokenEndpoint[stage]++
	})
	correlation := r.Header.Get("client-request-id")
	if !isGUID(correlation) {
		correlation = newGUID()
	}
	trace := newGUID()
	entraHeaders(w, now, trace)
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	form, err := parseForm(r)
	q := &tokenRequest{e: e, st: st, now: now, host: r.Host, path: r.PathValue("tenant"), form: form}
	note := func(outcome string) { e.transcript.token(stage, r.Method, r.URL.Path, form, outcome) }
	if e.scriptedHTTP(w, r, stage, note) {
		return
	}
	var body any
	if err == nil {
		body, err = answer(q)
	}
	if err == nil {
		note("200")
		writeJSON(w, http.StatusOK, body)
		return
	}
	var aad *aadError
	if !errors.As(err, &aad) {
		aad = badRequest("invalid_request", 900144, "%v", err)
	}
	e.count(func(s *Stats) { s.AADSTS[aad.code]++ })
	note(aad.Error())
	aad.write(w, trace, correlation, now, st.Entra.OneLine)
}

func entraHeaders(w http.ResponseWriter, now time.Time, trace string) {
	h := w.Header()
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-ms-request-id", trace)
	h.Set("x-ms-ests-server", "2.1.0 - EMULATOR ProdSlices")
}

// parseForm reads a form body. A body of another type counts as one without any
// parameter, which is what Entra makes of it. HTTP Basic may carry the client.
func parseForm(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return url.Values{}, errMethod(r.Method)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return url.Values{}, nil
	}
	if err := r.ParseForm(); err != nil {
		return url.Values{}, badRequest("invalid_request", 900144, "The request body is not a form.")
	}
	form := r.PostForm
	if id, secret, ok := r.BasicAuth(); ok {
		// RFC 6749 2.3.1: both are form-encoded before they are base64-encoded.
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	return form, nil
}

// token answers the token endpoint.
func (q *tokenRequest) token() (any, error) {
	grant := q.form.Get("grant_type")
	if grant == "" {
		return nil, errMissing("grant_type")
	}
	if q.clientID = q.form.Get("client_id"); q.clientID == "" {
		return nil, errMissing("client_id")
	}
	if q.e.requestLoop(q.clientID, q.st.Entra.LoopLimit, q.now) {
		return nil, errLoop()
	}
	switch grant {
	case "client_credentials":
		return q.clientCredentials()
	case grantDevice:
		return q.redeemDevice()
	case "refresh_token":
		return q.refresh()
	}
	return nil, errGrant(grant)
}

func (q *tokenRequest) clientCredentials() (any, error) {
	if err := q.findTenant(false); err != nil {
		return nil, err
	}
	if err := q.findApp(); err != nil {
		return nil, err
	}
	if !q.form.Has("scope") {
		return nil, errMissing("scope")
	}
	res, err := q.resource(q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	if q.app.Blocked {
		return nil, errBlocked()
	}
	return q.answer(q.appClaims(res)), nil
}

// findTenant resolves the tenant in the URL; common reports whether /common and its like
// may stand there.
func (q *tokenRequest) findTenant(common bool) error {
	switch strings.ToLower(q.path) {
	case "common", "organizations", "consumers":
		if !common {
			return errCommon()
		}
	}
	if q.tenantID, q.tenant = q.st.tenant(q.path); q.tenant != nil {
		return nil
	}
	if !isGUID(q.path) && !strings.Contains(q.path, ".") {
		return errTenantForm(q.path)
	}
	return errTenant(q.path)
}

func (q *tokenRequest) findApp() error {
	q.app = q.tenant.Apps[strings.ToLower(q.clientID)]
	switch {
	case q.app == nil:
		return errApp(q.clientID, q.tenant.Name)
	case q.app.NoServicePrincipal:
		return errNoServicePrincipal(q.clientID, q.tenantID)
	case q.app.Disabled:
		return errAppDisabled(q.clientID, q.app.Name)
	}
	return nil
}

// resource resolves the scope of a client credentials request.
func (q *tokenRequest) resource(scope string) (*Resource, error) {
	if strings.TrimSpace(scope) == "" || strings.ContainsAny(scope, " \t") {
		return nil, errScopeForm(scope)
	}
	uri, ok := strings.CutSuffix(scope, "/.default")
	if !ok {
		return nil, errScopeDefault(scope)
	}
	uri = strings.TrimSuffix(uri, "/")
	res := q.st.Resources[uri]
	switch {
	case res == nil:
		return nil, errResource(uri, q.tenant.Name)
	case res.Disabled:
		return nil, errResourceDisabled(uri)
	}
	return res, nil
}

// authenticate checks the client's credential: an assertion if there is one, else the
// secret.
func (q *tokenRequest) authenticate() error {
	assertion, secret := q.form.Get("client_assertion"), q.form.Get("client_secret")
	switch {
	case q.app.Public && (assertion != "" || secret != ""):
		return errPublicClient()
	case assertion != "":
		q.acr = "2"
		return q.checkAssertion(assertion)
	case secret != "":
		q.acr = "1"
		return q.checkSecret(secret)
	case q.app.Public:
		q.acr = "0"
		return nil
	}
	return errNoCredential()
}

func (q *tokenRequest) checkSecret(value string) error {
	for _, s := range q.app.Secrets {
		if subtle.ConstantTimeCompare([]byte(s.Value), []byte(value)) != 1 {
			continue
		}
		if !s.Expires.IsZero() && !q.now.Before(s.Expires) {
			return errSecretExpired(q.clientID)
		}
		return nil
	}
	return errSecret(q.clientID)
}

func (q *tokenRequest) appClaims(res *Resource) claims {
	c := q.claims(res)
	c.IDType = "app"
	c.ObjectID, c.Subject = q.app.ObjectID, q.app.ObjectID
	if res.Exchange && c.Audience == res.Audience {
		c.Roles = slices.Clone(q.app.Roles)
	}
	return c
}

// claims are the ones that all tokens share.
func (q *tokenRequest) claims(res *Resource) claims {
	audience := res.Audience
	if q.st.Entra.WrongAudience {
		audience = resourceGraph
	}
	issuer := "https://sts.windows.net/" + q.tenantID + "/"
	return claims{
		Audience: audience, Issuer: issuer, IDP: issuer, TenantID: q.tenantID, Version: "1.0",
		// Entra dates tokens back by five minutes against clocks that are slow.
		IssuedAt: q.now.Unix() - 300, Before: q.now.Unix() - 300, Expires: q.now.Unix() + int64(q.st.Entra.ExpiresIn) +
			1,
		AppID: strings.ToLower(q.clientID), AppName: q.app.Name, AppIDACR: q.acr,
		AIO: randomText(68), RH: "1." + randomText(60) + ".", UTI: randomText(22), SID: newGUID(),
		WIDs: []string{"0997a1d0-0d1d-4acb-b408-d5ca73121e90"}, XMS: "true",
	}
}

func (q *tokenRequest) answer(c claims) tokenAnswer {
	return tokenAnswer{
		Type: "Bearer", ExpiresIn: q.st.Entra.ExpiresIn, ExtExpiresIn: q.st.Entra.ExpiresIn,
		RefreshIn:   q.st.Entra.RefreshIn,
		AccessToken: q.e.issue(c, q.st.Entra.TokenSize),
	}
}

// serveOpenID answers the tenant check that needs no credentials.
func (e *Emulator) serveOpenID(w http.ResponseWriter, r *http.Request) {
	st := e.current()
	now, trace := e.entraNow(st), newGUID()
	entraHeaders(w, now, trace)
	note := func(outcome string) { e.transcript.token("openid", r.Method, r.URL.Path, nil, outcome) }
	if e.scriptedHTTP(w, r, "openid", note) {
		return
	}
	q := &tokenRequest{e: e, st: st, now: now, host: r.Host, path: r.PathValue("tenant")}
	if err := q.findTenant(true); err != nil {
		var aad *aadError
		errors.As(err, &aad)
		note(aad.Error())
		aad.write(w, trace, newGUID(), now, st.Entra.OneLine)
		return
	}
	note("200")
	base := "https://" + r.Host + "/" + q.tenantID
	writeJSON(w, http.StatusOK, map[string]any{
		"token_endpoint": base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt",
			"client_secret_basic", "self_signed_tls_client_auth"},
		"jwks_uri":                      base + "/discovery/v2.0/keys",
		"issuer":                        "https://login.microsoftonline.com/" + q.tenantID + "/v2.0",
		"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode",
		"authorization_endpoint":        base + "/oauth2/v2.0/authorize",
		"response_types_supported":      []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":       []string{"pairwise"},
		"scopes_supported":              []string{"openid", "profile", "email", "offline_access"},
		"tenant_region_scope":           "EU",
		"cloud_instance_name":           "microsoftonline.com",
	})
}
