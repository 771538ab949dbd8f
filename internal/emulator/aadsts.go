package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// aadError is an answer of the token endpoint that is not a token.
type aadError struct {
	status   int
	code     int    // AADSTS number
	err      string // RFC 6749 5.2 error
	suberror string
	claims   string
	text     string
}

func (e *aadError) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.code, e.text) }

func badRequest(err string, code int, format string, args ...any) *aadError {
	return &aadError{status: http.StatusBadRequest, err: err, code: code, text: fmt.Sprintf(format, args...)}
}

func badClient(code int, format string, args ...any) *aadError {
	return &aadError{status: http.StatusUnauthorized, err: "invalid_client", code: code,
		text: fmt.Sprintf(format, args...)}
}

func errMissing(parameter string) *aadError {
	return badRequest("invalid_request", 900144, "The request body must contain the following parameter: '%s'.",
		parameter)
}

func errTenantForm(tenant string) *aadError {
	return badRequest("invalid_request", 900023, "Specified tenant identifier '%s' is neither a valid DNS name, nor "+
		"a valid external domain.", tenant)
}

func errTenant(tenant string) *aadError {
	return badRequest("invalid_request", 90002, "Tenant '%s' not found. Check to make sure you have the correct "+
		"tenant ID and are signing into the correct cloud.", tenant)
}

func errApp(app, tenant string) *aadError {
	return badRequest("unauthorized_client", 700016,
		"Application with identifier '%s' was not found in the directory '%s'. This can happen if the application "+
			"has not been installed by the administrator of the tenant or consented to by any user in the tenant. "+
			"You may have sent your authentication request to the wrong tenant.", app, tenant)
}

func errNoServicePrincipal(app, tenant string) *aadError {
	return badClient(7000229, "The client application %s is missing service principal in the tenant %s. See "+
		"instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", app, tenant)
}

func errAppDisabled(app, name string) *aadError {
	return badRequest("unauthorized_client", 7000112, "Application '%s'(%s) is disabled.", app, name)
}

func errSecret(app string) *aadError {
	return badClient(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the "+
		"client secret value, not the client secret ID, for a secret added to app '%s'.", app)
}

func errSecretExpired(app string) *aadError {
	return badClient(7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to "+
		"create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for "+
		"added security: https://aka.ms/certCreds.", app)
}

func errNoCredential() *aadError {
	return badClient(7000218, "The request body must contain the following parameter: 'client_assertion' or "+
		"'client_secret'.")
}

func errPublicClient() *aadError {
	return badClient(700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
}

func errScopeForm(scope string) *aadError {
	return badRequest("invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid. The "+
		"scope %s is not valid.", scope)
}

func errScopeDefault(scope string) *aadError {
	return badRequest("invalid_scope", 1002012, "The provided value for scope %s is not valid. Client credential "+
		"flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", scope)
}

func errResource(resource, tenant string) *aadError {
	return badRequest("invalid_resource", 500011, "The resource principal named %s was not found in the tenant named "+
		"%s. This can happen if the application has not been installed by the administrator of the tenant or "+
		"consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
		resource, tenant)
}

func errResourceDisabled(resource string) *aadError {
	return badRequest("invalid_resource", 500014, "The service principal for resource '%s' is disabled. This "+
		"indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has "+
		"disabled the application, preventing tokens from being issued for it.", resource)
}

func errBlocked() *aadError {
	e := badRequest("invalid_grant", 53003, "Access has been blocked by Conditional Access policies. The access "+
		"policy does not allow token issuance.")
	e.suberror, e.claims = "message_only",
		`{"access_token":{"capolids":{"essential":true,"values":["3c9a1d52-7f0e-4a88-a7be-5d1b3f9c2e64"]}}}`
	return e
}

func errLoop() *aadError {
	return badRequest("invalid_grant", 50196, "The server terminated an operation because it encountered a client "+
		"request loop. Please contact your app vendor.")
}

func errGrant(grant string) *aadError {
	return badRequest("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", grant)
}

func errCommon() *aadError {
	return badRequest("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers "+
		"endpoints. Please use the /organizations or tenant-specific endpoint.")
}

func errConsent(app, name string) *aadError {
	return badRequest("invalid_grant", 65001, "The user or administrator has not consented to use the application "+
		"with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", app, name)
}

// errMethod: text as found; its status is assumed.
func errMethod(method string) *aadError {
	return &aadError{status: http.StatusMethodNotAllowed, err: "invalid_request", code: 900561,
		text: fmt.Sprintf("The endpoint only accepts POST requests. Received a %s request.", method)}
}

// write sends the answer in Entra's shape.
func (e *aadError) write(w http.ResponseWriter, traceID, correlationID string, now time.Time, oneLine bool) {
	stamp := now.UTC().Format("2006-01-02 15:04:05Z")
	sep := "\r\n"
	if oneLine {
		sep = " "
	}
	body := struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes"`
		Timestamp     string `json:"timestamp"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
		URI           string `json:"error_uri,omitempty"`
		SubError      string `json:"suberror,omitempty"`
		Claims        string `json:"claims,omitempty"`
	}{
		Error: e.err, Codes: []int{e.code}, Timestamp: stamp, TraceID: traceID, CorrelationID: correlationID,
		Description: strings.Join([]string{fmt.Sprintf("AADSTS%d: %s", e.code, e.text),
			"Trace ID: " + traceID, "Correlation ID: " + correlationID, "Timestamp: " + stamp}, sep),
		URI:      fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", e.code),
		SubError: e.suberror, Claims: e.claims,
	}
	writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a client that went away is none of our business
}
