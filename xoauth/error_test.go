package xoauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// entraReply is an error as Entra writes it; sep stands before each id.
func entraReply(code string, number int, text, sep string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q,"error_codes":[%d],"timestamp":"2026-11-23 20:30:00Z",`+
		`"trace_id":"aaaaaaaa-1111-2222-3333-444444444444","correlation_id":"bbbbbbbb-1111-2222-3333-444444444444",`+
		`"error_uri":"https://login.microsoftonline.com/error?code=%d"}`, code,
		fmt.Sprintf("AADSTS%d: %s%sTrace ID: aaaaaaaa-1111-2222-3333-444444444444%sCorrelation ID: "+
			"bbbbbbbb-1111-2222-3333-444444444444%sTimestamp: 2026-11-23 20:30:00Z", number, text, sep, sep, sep),
		number, number)
}

// TestEntraErrors walks Entra's documented errors: status, code, number, the
// beginning of its text, and the words that our line must have.
func TestEntraErrors(t *testing.T) {
	t.Parallel()
	const app = testClient
	tests := []struct {
		number, status int
		code, text     string
		temporary      bool
		cause, advice  string
	}{
		{7000215, 401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the " +
			"request is the client secret value, not the client secret ID, for a secret added to app '" + app + "'.",
			false, "client secret is wrong", "make a new client secret: Entra admin center > App registrations > " +
				app},
		{7000222, 401, "invalid_client", "The provided client secret keys for app '" + app + "' are expired.", false,
			"client secret has expired", "New client secret"},
		{700016, 400, "unauthorized_client", "Application with identifier '" + app +
			"' was not found in the directory 'Contoso'.", false, "no application with this client ID",
			"Application (client) ID"},
		{7000229, 401, "invalid_client", "The client application " + app +
			" is missing service principal in the tenant " + testTenant + ".", false, "no enterprise application",
			"az ad sp create --id " + app},
		{7000112, 400, "unauthorized_client", "Application '" + app + "'(mailer) is disabled.", false,
			"application is disabled", "az ad sp update --id " + app + " --set accountEnabled=true"},
		{90002, 400, "invalid_request", "Tenant 'x' not found. Check to make sure you have the correct tenant ID and " +
			"are signing into the correct cloud.", false, "tenant does not exist", "Directory (tenant) ID"},
		{900023, 400, "invalid_request", "Specified tenant identifier 'x' is neither a valid DNS name, nor a valid " +
			"external domain.", false, "neither an ID nor a domain", "Directory (tenant) ID"},
		{9001023, 400, "invalid_request", "The grant type is not supported over the /common or /consumers endpoints.",
			false, "may not be common", "Directory (tenant) ID"},
		{1002012, 400, "invalid_scope", "The provided value for scope x is not valid. Client credential flows must " +
			"have a scope value with /.default suffixed to the resource identifier (application ID URI).", false,
			"/.default", "https://outlook.office365.com/.default"},
		{70011, 400, "invalid_scope", "The provided value for the input parameter 'scope' is not valid. The scope x " +
			"is not valid.", false, "scope is not valid", "https://outlook.office365.com/.default"},
		{500011, 400, "invalid_resource", "The resource principal named x was not found in the tenant named y.", false,
			"does not know the resource", "Exchange Online licence"},
		{500014, 400, "invalid_resource", "The service principal for resource 'x' is disabled.", false,
			"Exchange Online is disabled", "licence"},
		{700027, 401, "invalid_client", "The certificate with identifier used to sign the client assertion is not " +
			"registered on application. [Reason - The key was not found.]", false, "certificate is not registered",
			"Upload certificate"},
		{700027, 401, "invalid_client", "The certificate with identifier used to sign the client assertion is not " +
			"registered on application. [Reason - The key used is expired., Thumbprint of key used by client: 'AB']",
			false, "certificate has expired", "credential new-certificate"},
		{700027, 401, "invalid_client", "The certificate with identifier used to sign the client assertion is not " +
			"registered on application. [Reason - The provided signature value did not match the expected " +
			"signature value.]", false, "the signature does not belong", "belongs to this private key"},
		{700027, 401, "invalid_client", "RSA key size 1024 is less than the minimum required 2048 bits", false,
			"RSA key is too short", "3072 bits"},
		{700024, 401, "invalid_client", "Client assertion is not within its valid time range. Current time: x, " +
			"assertion valid from y, expiry time of assertion z.", false, "outside its valid time",
			"timedatectl set-ntp true"},
		{50027, 400, "invalid_request", "JWT token is invalid or malformed.", false, "assertion is malformed",
			"private key"},
		{70021, 401, "invalid_client", "No matching federated identity record found for presented assertion. " +
			"Assertion Issuer: 'https://oidc'. Assertion Subject: 's'. Assertion Audience: " +
			"'api://AzureADTokenExchange'.", false, "https://oidc", "Federated credentials"},
		{700211, 400, "invalid_request", "No matching federated identity record found for presented assertion issuer " +
			"'https://oidc'.", false, "https://oidc", "Federated credentials"},
		{700212, 401, "invalid_client", "No matching federated identity record found for presented assertion " +
			"audience 'aud'.", false, "audience", "api://AzureADTokenExchange"},
		{700213, 401, "invalid_client", "No matching federated identity record found for presented assertion " +
			"subject 's'.", false, "subject", "Federated credentials"},
		{7000218, 401, "invalid_client", "The request body must contain the following parameter: 'client_assertion' " +
			"or 'client_secret'.", false, "no credential", "Allow public client flows"},
		{700025, 401, "invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should " +
			"be presented.", false, "public client", "device code"},
		{900144, 400, "invalid_request", "The request body must contain the following parameter: 'scope'.", false,
			"'scope'", "report it with the trace ID"},
		{90014, 400, "invalid_request", "The required field 'scope' is missing.", false, "'scope'",
			"report it with the trace ID"},
		{53003, 400, "invalid_grant", "Access has been blocked by Conditional Access policies. The access policy " +
			"does not allow token issuance.", false, "Conditional Access", "public IP address"},
		{530035, 400, "invalid_grant", "Access has been blocked by security defaults.", false, "security defaults",
			"Manage security defaults"},
		{65001, 400, "invalid_grant", "The user or administrator has not consented to use the application.", false,
			"consented", "Grant admin consent"},
		{50034, 400, "invalid_grant", "The user account does not exist in the directory.", false, "does not exist",
			"Users"},
		{50053, 400, "invalid_grant", "The account is locked.", false, "locked", "Users"},
		{50126, 400, "invalid_grant", "Invalid username or password.", false, "password is wrong", "sign in again"},
		{50076, 400, "invalid_grant", "You must use multi-factor authentication.", false, "multi-factor",
			"sign in again"},
		{50079, 400, "interaction_required", "You must enroll in multi-factor authentication.", false, "multi-factor",
			"sign in again"},
		{90038, 400, "invalid_request", "TenantEncryptionKeyMissing", false, "another cloud", "gcc-high"},
		{900382, 400, "invalid_request", "Confidential Client is not supported in Cross Cloud request.", false,
			"another cloud", "gcc-high"},
		{900432, 400, "invalid_request", "Confidential Client is not supported in Cross Cloud request.", false,
			"another cloud", "gcc-high"},
		{700082, 400, "invalid_grant", "The refresh token has expired due to inactivity.", false, "90 days",
			"sign in again"},
		{50173, 400, "invalid_grant", "The provided grant has expired due to it being revoked.", false, "revoked",
			"sign in again"},
		{50001, 400, "invalid_resource", "The application named x was not found in the tenant.", false,
			"resource is not known", "scope"},
		{50196, 400, "invalid_grant", "The server terminated an operation because it encountered a client request " +
			"loop. Please contact your app vendor.", true, "loop", "cache"},
		{90055, 429, "temporarily_unavailable", "The tenant is throttled.", true, "throttles", "wait"},
		{90024, 503, "temporarily_unavailable", "RequestBudgetExceededError", true, "passing fault",
			"passes by itself"},
		{90033, 400, "temporarily_unavailable", "A transient error has occurred. Please try again.", true,
			"passing fault", "passes by itself"},
		{50033, 500, "server_error", "RetryableError", true, "passing fault", "passes by itself"},
		{999999, 400, "invalid_client", "Something new.", false, "Something new.", "Certificates & secrets"},
		{999998, 400, "quite_new", "Something newer.", false, "Something newer.", "token URL"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(tt.number), func(t *testing.T) {
			t.Parallel()
			sep := []string{"\r\n", " "}[i%2]
			p := newPeer(t, saying(tt.status, "application/json; charset=utf-8",
				entraReply(tt.code, tt.number, tt.text, sep)))
			e := tokenError(t, tt.code, p)
			if e.Status != tt.status || e.Code != tt.code || e.AADSTS != tt.number || e.Temporary() != tt.temporary {
				t.Errorf("status %d, code %q, AADSTS%d, temporary %v; want %d, %q, %d, %v", e.Status, e.Code, e.AADSTS,
					e.Temporary(), tt.status, tt.code, tt.number, tt.temporary)
			}
			if want := fmt.Sprintf("AADSTS%d: %s", tt.number, tt.text); e.Description != want {
				t.Errorf("description %q, want %q", e.Description, want)
			}
			if e.TraceID != "aaaaaaaa-1111-2222-3333-444444444444" ||
				e.CorrelationID != "bbbbbbbb-1111-2222-3333-444444444444" || e.Timestamp != "2026-11-23 20:30:00Z" {
				t.Errorf("trace %q, correlation %q, time %q", e.TraceID, e.CorrelationID, e.Timestamp)
			}
			if !strings.Contains(e.Advice(), tt.advice) {
				t.Errorf("advice %q, want %q in it", e.Advice(), tt.advice)
			}
			for _, want := range []string{tt.cause, tt.advice, fmt.Sprintf("AADSTS%d", tt.number),
				"trace aaaaaaaa-1111-2222-3333-444444444444", "token request to 127.0.0.1"} {
				if !strings.Contains(e.Error(), want) {
					t.Errorf("error %q, want %q in it", e.Error(), want)
				}
			}
			if strings.Contains(e.Error(), "<client id>") {
				t.Errorf("error %q has a blank to fill", e.Error())
			}
		})
	}
}

// TestOddErrors has the replies that are not Entra's usual JSON.
func TestOddErrors(t *testing.T) {
	t.Parallel()
	whole := entraReply("invalid_client", 7000215, "Invalid client secret provided.", "\r\n")
	tests := []struct {
		name              string
		status            int
		contentType, body string
		code              string
		number            int
		temporary         bool
		want              string
	}{
		{"throttled", 429, "text/plain", "Too Many Requests", "", 0, true,
			`too many token requests (HTTP 429); wait; keep tokens in a cache that all processes share; ` +
				`the reply says "Too Many Requests"`},
		{"HTML 503", 503, "text/html", "<!DOCTYPE html><html><head><title>Service\r\nUnavailable</title></head>", "", 0,
			true, `the reply says "Service Unavailable"`},
		{"HTML without a title", 502, "text/html", "<html><body>x", "", 0, true, `"an HTML page"`},
		{"empty 500", 500, "application/json", "", "", 0, true, "unavailable for the moment (HTTP 500)"},
		{"empty 400", 400, "application/json", "", "", 0, true, "the reply is not Entra's (HTTP 400)"},
		{"empty 401", 401, "application/json", "", "", 0, false, "the reply is not Entra's (HTTP 401)"},
		{"block page", 403, "text/html", "<html><title>Blocked by \x1b[31mproxy</title>", "", 0, false,
			"Blocked by [31mproxy"},
		{"wrong path", 404, "text/plain", "404 page not found", "", 0, false, "check the token URL"},
		{"request timeout", 408, "text/plain", "", "", 0, true, "HTTP 408"},
		{"cut after the code", 401, "application/json", whole[:strings.Index(whole, "AADSTS")+30], "invalid_client", 0,
			false, "does not accept the credential"},
		{"cut after the numbers", 401, "application/json", whole[:strings.Index(whole, `"timestamp"`)+14],
			"invalid_client", 7000215, false, "client secret is wrong"},
		{"without error_codes", 401, "application/json",
			`{"error":"invalid_client","error_description":"AADSTS7000222: expired. Trace ID: t-1 Correlation ID: c-1 Timestamp: 2026-11-23 20:30:00Z"}`, "invalid_client", 7000222, false, "AADSTS7000222, trace t-1"},
		{"codes as strings", 401, "application/json", `{"error":"invalid_client","error_codes":["7000222"]}`,
			"invalid_client", 7000222, false, "expired"},
		{"codes of another type", 401, "application/json",
			`{"error":"invalid_client","error_codes":{"a":1},"error_description":5,"trace_id":[]}`, "invalid_client", 0,
			false, "HTTP 401 invalid_client"},
		{"error in a 200", 200, "application/json",
			`{"error":"invalid_scope","access_token":"abc","token_type":"Bearer","expires_in":60}`, "invalid_scope", 0,
			false, "the scope is wrong"},
		{"error as an object", 400, "application/json",
			`{"error":{"code":"invalid_request","message":"Identity\nnot found"}}`, "invalid_request", 0, false,
			`the reply says "Identity not found"`},
		{"code that is no word", 400, "application/json", `{"error":"\u001b]0;x\u0007 y"}`, "", 0, true, "HTTP 400"},
		{"suberror", 400, "application/json", `{"error":"invalid_grant","suberror":"message_only"}`, "invalid_grant", 0,
			false, "refuses the sign-in"},
		{"endless", 500, "text/html", strings.Repeat("x", maxReply+1000), "", 0, true, "HTTP 500"},
		{"long", 500, "text/plain", strings.Repeat("x", 5000), "", 0, true, "xxx..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := tokenError(t, tt.name, newPeer(t, saying(tt.status, tt.contentType, tt.body)))
			if e.Code != tt.code || e.AADSTS != tt.number || e.Temporary() != tt.temporary {
				t.Errorf("code %q, AADSTS%d, temporary %v; want %q, %d, %v", e.Code, e.AADSTS, e.Temporary(), tt.code,
					tt.number, tt.temporary)
			}
			if !strings.Contains(e.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", e.Error(), tt.want)
			}
		})
	}
}

// TestServerEchoesTheSecret plants the secret in every field that a server fills.
func TestServerEchoesTheSecret(t *testing.T) {
	t.Parallel()
	const jwt = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
	encoded := url.QueryEscape(testSecret)
	bodies := []string{
		fmt.Sprintf(`{"error":%q,"error_description":"AADSTS7000215: wrong %s and %s and %s. Trace ID: %[1]s Correlation ID: %[1]s Timestamp: %[1]sZ","suberror":%[1]q,"trace_id":%[1]q,"correlation_id":%[1]q,"timestamp":%[1]q}`, testSecret, encoded, testSecret, jwt),
		"<html><title>no " + testSecret + " " + jwt + "</title>",
		testSecret + " " + encoded,
		strings.Repeat(" ", 4090) + testSecret,
		fmt.Sprintf(`{"error":"invalid_request","error_description":%q}`, strings.Repeat("y", 590)+testSecret),
	}
	for i, body := range bodies {
		for _, status := range []int{400, 503} {
			e := tokenError(t, fmt.Sprint(i), newPeer(t, func(w http.ResponseWriter, _ url.Values) {
				w.Header().Set("Location", "https://elsewhere.example/?"+encoded)
				saying(status, "application/json", body)(w, nil)
			}))
			all := fmt.Sprintf("%#v", *e) + e.Advice()
			if strings.Contains(all, testSecret[:12]) || strings.Contains(all, encoded[:12]) ||
				strings.Contains(all, jwt[:20]) {
				t.Errorf("reply %d: the secret is in %s", i, all)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"60", "", time.Minute},
		{" 60 ", "", time.Minute},
		{"", "", 0},
		{"0", "", 0},
		{"-5", "", 0},
		{"soon", "", 0},
		{"99999999999999999999", "", 0},
		{"2000000000", "", maxRetryAfter},
		{"Mon, 23 Nov 2026 20:31:00 GMT", "", time.Minute},
		{"Mon, 23 Nov 2026 20:29:00 GMT", "", 0},
		{"Tue, 24 Nov 2026 20:31:00 GMT", "Tue, 24 Nov 2026 20:30:30 GMT", 30 * time.Second},
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.value}}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		if got := retryAfter(h, testNow); got != tt.want {
			t.Errorf("Retry-After %q = %v, want %v", tt.value, got, tt.want)
		}
	}
	e := tokenError(t, "throttled", newPeer(t, func(w http.ResponseWriter, _ url.Values) {
		w.Header().Set("Retry-After", "60")
		saying(429, "text/plain", "Too Many Requests")(w, nil)
	}))
	if e.RetryAfter != time.Minute || !strings.Contains(e.Error(),
		"too many token requests (HTTP 429, retry after 1m0s)") {
		t.Errorf("RetryAfter = %v, want 1m; error %q", e.RetryAfter, e)
	}
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	e := tokenError(t, "skew", newPeer(t, func(w http.ResponseWriter, _ url.Values) {
		w.Header().Set("Date", testNow.Add(7*time.Minute).Format(http.TimeFormat))
		saying(401, "application/json", entraReply("invalid_client", 700024, "x", " "))(w, nil)
	}))
	if e.ClockSkew != 7*time.Minute || !strings.Contains(e.Error(),
		"the local clock differs by 7m0s from the server's") {
		t.Errorf("skew %v, error %q", e.ClockSkew, e)
	}
}

func TestRedirectIsRefused(t *testing.T) {
	t.Parallel()
	trap := newPeer(t, saying(200, "application/json", goodReply))
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := newPeer(t, func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Location", trap.URL+"/token?state=hidden")
			w.WriteHeader(status)
		})
		e := tokenError(t, "redirect", p)
		if e.Status != status || e.Temporary() || !strings.Contains(e.Error(), "a redirect") ||
			!strings.Contains(e.Error(), trap.URL) || strings.Contains(e.Error(), "hidden") {
			t.Errorf("HTTP %d: error %q, temporary %v", status, e, e.Temporary())
		}
		if len(p.seen()) != 1 {
			t.Errorf("HTTP %d: %d requests, want 1", status, len(p.seen()))
		}
	}
	if len(trap.seen()) != 0 {
		t.Errorf("the secret was posted to where the redirect points: %v", trap.seen())
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	p := newPeer(t, saying(200, "application/json", goodReply))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := p.source(t, ClientSecret(NewSecret(testSecret))).Token(ctx)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) || !e.Temporary() || e.Status != 0 {
		t.Errorf("error %v, want a temporary one that is context.Canceled", err)
	}
}
