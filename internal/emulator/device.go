package emulator

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
)

// device is a sign-in by device code under way.
type device struct {
	clientID, userCode, scope, path string
	expires                         time.Time
	user                            string // who approved
	declined                        bool
}

// refreshT is a refresh token.
type refreshT struct {
	clientID, scope, user string
	issued, used          time.Time
	revoked               time.Time
}

const inactivity = 90 * 24 * time.Hour

// deviceCode answers the device code endpoint
// (learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code).
func (q *tokenRequest) deviceCode() (any, error) {
	if q.clientID = q.form.Get("client_id"); q.clientID == "" {
		return nil, errMissing("client_id")
	}
	if q.form.Get("scope") == "" {
		return nil, errMissing("scope")
	}
	if err := q.delegated(); err != nil {
		return nil, err
	}
	if _, err := q.delegatedResource(q.form.Get("scope")); err != nil {
		return nil, err
	}
	d := &device{
		clientID: q.clientID, userCode: userCode(), scope: q.form.Get("scope"), path: q.path,
		expires: q.now.Add(time.Duration(q.st.Entra.DeviceExpires) * time.Second), user: q.st.Entra.DeviceUser,
	}
	code := "D" + randomText(180)
	q.e.mu.Lock()
	q.e.memory.devices[code] = d
	q.e.mu.Unlock()
	const page = "https://microsoft.com/devicelogin"
	return map[string]any{
		"user_code": d.userCode, "device_code": code, "verification_uri": page,
		"expires_in": q.st.Entra.DeviceExpires, "interval": q.st.Entra.DeviceInterval,
		"message": fmt.Sprintf("To sign in, use a web browser to open the page %s and enter the code %s to "+
			"authenticate.", page, d.userCode),
	}, nil
}

// delegated finds tenant and app of a user's sign-in. With /common, /organizations and
// the like the app may be any tenant's; the user decides later.
func (q *tokenRequest) delegated() error {
	switch strings.ToLower(q.path) {
	case "common", "organizations":
		for q.tenantID, q.tenant = range q.st.Tenants {
			if app := q.tenant.Apps[strings.ToLower(q.clientID)]; app != nil && !q.tenant.Personal {
				return q.findApp()
			}
		}
		return errApp(q.clientID, q.path)
	}
	if err := q.findTenant(true); err != nil {
		return err
	}
	return q.findApp()
}

// delegatedResource checks scopes like "https://outlook.office.com/SMTP.Send
// offline_access".
func (q *tokenRequest) delegatedResource(scope string) (*Resource, error) {
	var res *Resource
	for word := range strings.FieldsSeq(scope) {
		switch word {
		case "offline_access", "openid", "profile", "email":
			continue
		}
		cut := strings.LastIndexByte(word, '/')
		if cut < 0 || !strings.HasPrefix(word, "https://") {
			return nil, errScopeForm(word)
		}
		r := q.st.Resources[strings.TrimSuffix(word[:cut], "/")]
		switch {
		case r == nil:
			return nil, errResource(word[:cut], q.tenant.Name)
		case r.Disabled:
			return nil, errResourceDisabled(word[:cut])
		}
		res = r
		if permission := word[cut+1:]; permission != ".default" && !slices.Contains(q.app.Scopes, permission) {
			return nil, errConsent(q.clientID, q.app.Name)
		}
	}
	if res == nil {
		return nil, errScopeForm(scope)
	}
	return res, nil
}

// redeemDevice answers the polling client.
func (q *tokenRequest) redeemDevice() (any, error) {
	code := q.form.Get("device_code")
	if code == "" {
		return nil, errMissing("device_code")
	}
	if err := q.delegated(); err != nil {
		return nil, err
	}
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	d, err := q.pollDevice(code)
	if err != nil {
		return nil, err
	}
	return q.userAnswer(d.user, d.scope)
}

// pollDevice takes an approved code; it works once.
func (q *tokenRequest) pollDevice(code string) (*device, error) {
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	d := q.e.memory.devices[code]
	switch {
	case d == nil || d.clientID != q.clientID || !strings.EqualFold(d.path, q.path):
		return nil, badRequest("bad_verification_code", 70018,
			"Invalid verification code due to User typing in wrong user code for device code flow.")
	case d.declined:
		delete(q.e.memory.devices, code)
		return nil, badRequest("authorization_declined", 70017,
			"OAuth 2.0 device flow error. The end user denied the authorization request.")
	case !q.now.Before(d.expires):
		delete(q.e.memory.devices, code)
		return nil, badRequest("expired_token", 70020,
			"The provided value for the input parameter 'device_code' is not valid. This device code has expired.")
	case d.user == "":
		return nil, badRequest("authorization_pending", 70016,
			"OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	}
	delete(q.e.memory.devices, code)
	return d, nil
}

// refresh answers the refresh_token grant.
func (q *tokenRequest) refresh() (any, error) {
	token := q.form.Get("refresh_token")
	if token == "" {
		return nil, errMissing("refresh_token")
	}
	if err := q.delegated(); err != nil {
		return nil, err
	}
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	r, err := q.useRefresh(token)
	if err != nil {
		return nil, err
	}
	scope := r.scope
	if s := q.form.Get("scope"); s != "" {
		scope = s
	}
	return q.userAnswer(r.user, scope)
}

func (q *tokenRequest) useRefresh(token string) (*refreshT, error) {
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	const stamp = "2006-01-02T15:04:05.0000000Z"
	r := q.e.memory.refresh[token]
	switch {
	case r == nil || r.clientID != q.clientID:
		return nil, badRequest("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case !r.revoked.IsZero():
		return nil, badRequest("invalid_grant", 50173,
			"The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might "+
				"have changed or reset their password. The grant was issued on '%s' and the TokensValidFrom date "+
				"(before which tokens are not valid) for this user is '%s'.",
			r.issued.UTC().Format(stamp), r.revoked.UTC().Format(stamp))
	case q.now.Sub(r.used) >= inactivity:
		e := badRequest("invalid_grant", 700082, "The refresh token has expired due to inactivity. The token was "+
			"issued on %s and was inactive for 90.00:00:00.", r.issued.UTC().Format(stamp))
		e.suberror = "bad_token"
		return nil, e
	}
	r.used = q.now
	return r, nil
}

// userAnswer makes the tokens of a signed-in user.
func (q *tokenRequest) userAnswer(user, scope string) (any, error) {
	id, tenant := q.homeTenant(user)
	if tenant == nil || q.path != "common" && q.path != "organizations" && tenant != q.tenant {
		return nil, badRequest("invalid_grant", 50034,
			"The user account %s does not exist in the %s directory. To sign into this application, the account must "+
				"be added to the directory.", user, q.path)
	}
	q.tenantID, q.tenant = id, tenant
	if err := q.findApp(); err != nil {
		return nil, err
	}
	res, err := q.delegatedResource(scope)
	if err != nil {
		return nil, err
	}
	c := q.claims(res)
	c.IDType, c.UPN, c.ObjectID, c.Subject, c.RH = "user", user, newGUID(), randomText(43), ""
	c.Scopes = strings.Join(q.app.Scopes, " ")
	out := q.answer(c)
	out.Scope = scope
	if slices.Contains(strings.Fields(scope), "offline_access") &&
		(q.form.Get("grant_type") != "refresh_token" || !q.st.Entra.KeepRefreshToken) {
		out.RefreshToken = q.newRefresh(user, scope)
	}
	return out, nil
}

func (q *tokenRequest) newRefresh(user, scope string) string {
	token := "1." + randomText(1100)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	q.e.memory.refresh[token] = &refreshT{clientID: q.clientID, scope: scope, user: user, issued: q.now, used: q.now}
	return token
}

// homeTenant is the tenant that has the user's mailbox.
func (q *tokenRequest) homeTenant(user string) (string, *Tenant) {
	for id, t := range q.st.Tenants {
		if t.Mailboxes[strings.ToLower(user)] != nil {
			return id, t
		}
	}
	return "", nil
}

// ApproveDevice is what a user does in the browser: enter the code, sign in as user.
func (e *Emulator) ApproveDevice(userCode, user string) error {
	return e.decideDevice(userCode, func(d *device) { d.user = user })
}

// DeclineDevice refuses a sign-in.
func (e *Emulator) DeclineDevice(userCode string) error {
	return e.decideDevice(userCode, func(d *device) { d.declined = true })
}

func (e *Emulator) decideDevice(userCode string, decide func(*device)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.memory.devices {
		if strings.EqualFold(d.userCode, userCode) {
			decide(d)
			return nil
		}
	}
	return fmt.Errorf("emulator: no sign-in waits with code %s", userCode)
}

// UserCodes lists the codes that wait for a user.
func (e *Emulator) UserCodes() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, d := range e.memory.devices {
		if d.user == "" && !d.declined {
			out = append(out, d.userCode)
		}
	}
	slices.Sort(out)
	return out
}

// RevokeRefreshTokens ends all refresh tokens, as a password change does.
func (e *Emulator) RevokeRefreshTokens() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.memory.refresh {
		r.revoked = e.now()
	}
}

// userCode is 9 letters and digits, as Microsoft's.
func userCode() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}
