package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/xoauth"
)

const (
	tokenPath  = "/oauth2/v2.0/token"
	openIDPath = "/v2.0/.well-known/openid-configuration"
)

// entra checks the login host and what it says of the tenant and the application.
func (r *runner) entra(ctx context.Context) {
	r.check("roots", r.known(), r.roots)
	if r.relayed() {
		return
	}
	if r.cfg != nil && r.cfg.Credential.Type == config.TypeManagedIdentity {
		r.tokenChecks(ctx, []string{"configuration", "credential"})
		return
	}
	login := r.loginURL()
	if login == nil {
		// Nobody here knows the tenant, but the way to the worldwide cloud can be tried.
		login = &url.URL{Scheme: "https", Host: r.cloud.LoginHost, Path: "/"}
	}
	host, port := hostPort(login, 443)
	way := []string{"login-proxy"}
	if proxy := r.tokenProxy(); proxy != "" {
		r.check("login-proxy", nil, func(c *Check) { c.ok("token requests go through " + proxyName(proxy)) })
	} else {
		way = r.reach(ctx, "login", host, port, r.known())
	}
	r.check("login-tls", append(way, "roots"), func(c *Check) { r.loginTLS(ctx, c, host, login) })
	r.check("clock", []string{"login-tls"}, r.clock)
	r.check("tenant", []string{"configuration", "login-tls"}, r.askTenant)
	r.tokenChecks(ctx, []string{"configuration", "credential", "login-tls", "tenant"})
}

func (r *runner) tokenChecks(ctx context.Context, needs []string) {
	r.check("token", needs, func(c *Check) { r.askToken(ctx, c) })
	r.check("claims", []string{"token"}, r.judgeClaims)
	if r.o.Tenant != nil {
		r.check("tenant-report", []string{"configuration"}, r.judgeTenant)
	}
}

// loginURL is the token endpoint, nil when none is known.
func (r *runner) loginURL() *url.URL {
	if r.cfg == nil {
		return nil
	}
	text := cmp.Or(r.cfg.Token.URL, "https://"+r.cloud.LoginHost+"/"+url.PathEscape(r.cfg.Tenant)+tokenPath)
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	return u
}

func hostPort(u *url.URL, port int) (string, int) {
	if p, err := strconv.Atoi(u.Port()); err == nil {
		port = p
	}
	return u.Hostname(), port
}

func (r *runner) tokenProxy() string {
	if r.cfg == nil {
		return ""
	}
	return r.cfg.Token.Proxy
}

// proxyName leaves user and password out.
func proxyName(proxy string) string {
	u, err := url.Parse(proxy)
	if err != nil {
		return "a proxy"
	}
	return u.Scheme + "://" + u.Host
}

// openID is what the login host says of a tenant without any credential.
type openID struct {
	status int
	date   time.Time
	at     time.Time // by our clock, in the middle of the request
	body   []byte
	kind   string // Content-Type
}

// loginTLS asks for the tenant's public description, which shows TLS, the clock and the
// tenant at once.
func (r *runner) loginTLS(ctx context.Context, c *Check, host string, login *url.URL) {
	tc, err := r.tlsConfig(host)
	if err != nil {
		c.fail(Configuration, "roots", err.Error(), "")
		return
	}
	client, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: tc.RootCAs, MinVersion: tc.MinVersion, Timeout: r.o.Timeout, Proxy: r.tokenProxy()})
	if err != nil {
		c.fail(Configuration, "proxy", err.Error(), "correct token.proxy in "+r.path)
		return
	}
	if t, ok := client.Transport.(*http.Transport); ok && r.tokenProxy() == "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx, "login") }
	}
	defer client.CloseIdleConnections()
	target := *login
	target.RawPath = ""
	if path, ok := strings.CutSuffix(login.Path, tokenPath); ok {
		target.Path = path + openIDPath
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	res, err := r.fetch(ctx, client, target.String())
	if err != nil {
		r.judgeLogin(c, err, host)
		return
	}
	c.ok(host + ": " + tlsSeen(*res))
}

func (r *runner) fetch(ctx context.Context, client *http.Client, target string) (*tls.ConnectionState, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	began := r.o.Now()
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	r.openID = &openID{status: res.StatusCode, body: body, kind: res.Header.Get("Content-Type"), at: began.Add(r.o.Now().Sub(began) / 2)}
	if r.openID.date, err = http.ParseTime(res.Header.Get("Date")); err != nil {
		r.openID.date = time.Time{}
	}
	if res.TLS == nil {
		return &tls.ConnectionState{}, nil // plain http, for a token.url on loopback
	}
	return res.TLS, nil
}

func (r *runner) judgeLogin(c *Check, err error, host string) {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if r.tokenProxy() != "" && !isCertificate(err) {
		c.fail(Unavailable, "proxy", err.Error(), "check token.proxy in "+r.path+" and that the proxy lets "+host+":443 through")
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		c.fail(Unavailable, "login-timeout", host+" took the connection and said nothing", "look for a firewall that holds HTTPS to "+host)
		return
	}
	r.judgeTLS(c, err, "token.url")
}

func isCertificate(err error) bool {
	var bad *tls.CertificateVerificationError
	return errors.As(err, &bad)
}

// The differences between our clock and the server's that are told.
const (
	clockNotice = time.Minute
	clockWrong  = 5 * time.Minute
)

func (r *runner) clock(c *Check) {
	if r.openID == nil || r.openID.date.IsZero() {
		c.ok("the server tells no time")
		return
	}
	// A Date has whole seconds.
	r.skew = r.openID.date.Add(500 * time.Millisecond).Sub(r.openID.at)
	off := r.skew.Abs().Round(time.Second)
	side := "behind"
	if r.skew < 0 {
		side = "ahead"
	}
	const syncClock = "sudo timedatectl set-ntp true; timedatectl must then say: System clock synchronized: yes"
	switch {
	case off < clockNotice:
		c.ok(fmt.Sprintf("within %v of the server's", max(off, time.Second)))
	case off >= clockWrong && r.signs():
		c.fail(Configuration, "clock",
			fmt.Sprintf("this machine's clock is %v %s the server's, which refuses a certificate's assertion", off,
				side), syncClock)
	default:
		c.warn("clock", fmt.Sprintf("this machine's clock is %v %s the server's", off, side), syncClock)
	}
}

// signs reports whether the credential is an assertion, which a wrong clock spoils.
func (r *runner) signs() bool {
	return r.cfg != nil && r.cfg.Credential.Type == config.TypeCertificate
}

// askTenant reads the public description. A tenant that does not exist has none.
func (r *runner) askTenant(c *Check) {
	if !strings.HasSuffix(r.loginURL().Path, tokenPath) {
		c.ok("not checked: token.url names an endpoint of its own")
		return
	}
	var answer struct {
		Issuer      string `json:"issuer"`
		Code        string `json:"error"`
		Description string `json:"error_description"`
		Numbers     []int  `json:"error_codes"`
		Trace       string `json:"trace_id"`
	}
	if err := json.Unmarshal(r.openID.body, &answer); err != nil {
		r.oddAnswer(c)
		return
	}
	if r.openID.status != http.StatusOK {
		e := &xoauth.Error{Op: "tenant check", Host: r.loginURL().Host, Tenant: r.cfg.Tenant, ClientID: r.cfg.ClientID, Status: r.openID.status, Code: answer.Code, TraceID: answer.Trace}
		if len(answer.Numbers) > 0 {
			e.AADSTS = answer.Numbers[0]
		}
		r.judgeToken(c, e)
		return
	}
	r.tenant = tenantOf(answer.Issuer)
	c.ok("the tenant " + r.cfg.Tenant + " exists, with the ID " + cmp.Or(r.tenant, "unknown"))
}

// oddAnswer is about a reply that did not come from the login host.
func (r *runner) oddAnswer(c *Check) {
	seen := fmt.Sprintf("the answer is HTTP %d with %s, not JSON", r.openID.status, cmp.Or(r.openID.kind, "no type"))
	if r.openID.status >= 500 || r.openID.status == http.StatusTooManyRequests {
		c.fail(Temporary, "http-"+strconv.Itoa(r.openID.status), seen, "wait; if it lasts, see https://status.cloud.microsoft")
		return
	}
	c.fail(Unavailable, "not-entra", seen, "a proxy or captive portal answers for "+r.loginURL().Host+": let it through unchanged")
}

// tenantOf takes the GUID out of an issuer's URL.
func tenantOf(issuer string) string {
	for part := range strings.SplitSeq(issuer, "/") {
		if xoauth.IsGUID(part) {
			return part
		}
	}
	return ""
}

func (r *runner) askToken(ctx context.Context, c *Check) {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	source, err := r.account.Source()
	if err == nil {
		r.token, err = source.Token(ctx)
	}
	if err != nil {
		r.judgeToken(c, err)
		return
	}
	// What was fetched serves the next message as well. An older one may lack a role that was
	// granted since.
	token := r.token
	if old, _, ok := r.account.Cache.Peek(r.account.Key); ok {
		r.account.Cache.Discard(r.account.Key, old)
	}
	_, _ = r.account.Cache.Token(ctx, r.account.Key, func(context.Context) (xoauth.Token, error) { return token, nil })
	c.ok("granted for " + r.token.Expiry.Sub(r.token.Obtained).Round(time.Second).String())
}

// judgeToken takes cause and advice from the error, which knows Entra's numbers.
func (r *runner) judgeToken(c *Check, err error) {
	var e *xoauth.Error
	if !errors.As(err, &e) {
		c.fail(Configuration, "token", err.Error(), "correct the credential in "+r.path)
		return
	}
	class := Configuration
	if e.Temporary() {
		class = Temporary
	}
	key := "token"
	switch {
	case e.AADSTS != 0:
		key = "aadsts-" + strconv.Itoa(e.AADSTS)
	case e.Status != 0:
		key = "http-" + strconv.Itoa(e.Status)
	}
	advice := e.Advice()
	seen := strings.TrimSuffix(err.Error(), "; "+advice)
	if advice == "" && e.Status == http.StatusOK {
		advice = "a proxy or captive portal seems to answer in place of " + e.Host + ": let it through unchanged"
	} else if advice == "" && class == Temporary {
		advice = "wait; if it lasts, see https://status.cloud.microsoft"
	}
	c.fail(class, key, seen, advice)
}
