package emulator

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Paths of the managed identity endpoints below IdentityURL. The real ones stand on
// hosts of their own; the plain path serves IMDS, and Arc too when asked with Arc's API
// version.
const (
	imdsPath       = "/metadata/identity/oauth2/token"
	arcPath        = "/arc/metadata/identity/oauth2/token"
	appServicePath = "/msi/token"

	imdsVersion       = "2018-02-01"
	arcVersion        = "2020-06-01"
	appServiceVersion = "2019-08-01"
)

// IdentityEnv returns the environment variables that tell a program where it runs:
// kind is "app-service" or "arc" ("imds" has none).
func (e *Emulator) IdentityEnv(kind string) map[string]string {
	switch kind {
	case "app-service":
		return map[string]string{"IDENTITY_ENDPOINT": e.IdentityURL() + appServicePath,
			"IDENTITY_HEADER": e.identityHeader()}
	case "arc":
		return map[string]string{"IDENTITY_ENDPOINT": e.IdentityURL() + arcPath, "IMDS_ENDPOINT": e.IdentityURL()}
	}
	return nil
}

// ArcKeyDir is where the Arc challenge puts its key files, /var/opt/azcmagent/tokens on
// real machines.
func (e *Emulator) ArcKeyDir() string { return filepath.Join(e.dir, "tokens") }

// identityHeader is the secret of App Service.
func (e *Emulator) identityHeader() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.memory.identityHeader == "" {
		e.memory.identityHeader = newGUID()
	}
	return e.memory.identityHeader
}

// identityError is the shape of IMDS's errors.
type identityError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (e *Emulator) identityHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(imdsPath, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("api-version") == arcVersion {
			e.serveIdentity(w, r, "arc", e.checkArc)
			return
		}
		e.serveIdentity(w, r, "imds", e.checkIMDS)
	})
	mux.HandleFunc(arcPath, func(w http.ResponseWriter, r *http.Request) { e.serveIdentity(w, r, "arc", e.checkArc) })
	mux.HandleFunc(appServicePath, func(w http.ResponseWriter, r *http.Request) {
		e.serveIdentity(w, r, "appservice", e.checkAppService)
	})
	return mux
}

// serveIdentity answers one endpoint; check refuses by answering itself.
func (e *Emulator) serveIdentity(w http.ResponseWriter, r *http.Request, stage string,
	check func(http.ResponseWriter, *http.Request) bool) {
	st := e.current()
	e.count(func(s *Stats) { s.TokenEndpoint[stage]++ })
	query := r.URL.Query()
	status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	note := func(outcome string) { e.transcript.token(stage, r.Method, r.URL.Path, query, outcome) }
	if e.scriptedHTTP(w, r, stage, note) {
		return
	}
	defer func() { note(strconv.Itoa(status.status)) }()
	if st.Entra.ManagedIdentityDown {
		writeJSON(status, http.StatusGone, identityError{"unknown", "The service is being updated. Retry later."})
		return
	}
	if r.Method != http.MethodGet {
		writeJSON(status, http.StatusMethodNotAllowed, identityError{"invalid_request", "Only GET is supported"})
		return
	}
	if !check(status, r) {
		return
	}
	e.identityToken(status, st, query.Get("resource"), identityOf(query.Get))
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// checkIMDS: the header proves that no browser and no proxy made the request.
func (e *Emulator) checkIMDS(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !strings.EqualFold(r.Header.Get("Metadata"), "true"), r.Header.Get("X-Forwarded-For") != "":
		writeJSON(w, http.StatusBadRequest, identityError{"bad_request_102", "Required metadata header not specified"})
		return false
	case r.FormValue("api-version") != imdsVersion:
		writeJSON(w, http.StatusBadRequest, identityError{"invalid_request", "The api-version is invalid"})
		return false
	}
	return true
}

func (e *Emulator) checkAppService(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(e.identityHeader())) != 1:
		writeJSON(w, http.StatusForbidden, map[string]any{"statusCode": 403,
			"message": "The request header X-IDENTITY-HEADER is missing or wrong"})
		return false
	case r.FormValue("api-version") != appServiceVersion:
		writeJSON(w, http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "The api-version is invalid"})
		return false
	}
	return true
}

// checkArc challenges the client to read a file that only members of a group can read.
func (e *Emulator) checkArc(w http.ResponseWriter, r *http.Request) bool {
	if !strings.EqualFold(r.Header.Get("Metadata"), "true") || r.FormValue("api-version") != arcVersion {
		writeJSON(w, http.StatusBadRequest, identityError{"bad_request",
			"Required metadata header not specified, or wrong api-version"})
		return false
	}
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok && e.useArcKey(key) {
		return true
	}
	path, err := e.newArcKey()
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, identityError{"internal", err.Error()})
		return false
	}
	w.Header().Set("WWW-Authenticate", "Basic realm="+path)
	writeJSON(w, http.StatusUnauthorized, identityError{"unauthorized",
		"The request must carry the contents of the file in WWW-Authenticate"})
	return false
}

// newArcKey writes a key file; its contents are good for one request.
func (e *Emulator) newArcKey() (string, error) {
	if err := os.MkdirAll(e.ArcKeyDir(), 0o700); err != nil {
		return "", err
	}
	key, path := randomText(64), filepath.Join(e.ArcKeyDir(), newGUID()+".key")
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.memory.arcKeys[key] = path
	return path, nil
}

func (e *Emulator) useArcKey(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	path, ok := e.memory.arcKeys[key]
	if ok {
		delete(e.memory.arcKeys, key)
		_ = os.Remove(path) // the directory goes at the end in any case
	}
	return ok
}

// identityOf returns how a request names a user-assigned identity, "" for the
// system-assigned one.
func identityOf(get func(string) string) string {
	for _, key := range []string{"client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id"} {
		if v := get(key); v != "" {
			return v
		}
	}
	return ""
}

// identityToken issues a token for the host's identity.
func (e *Emulator) identityToken(w http.ResponseWriter, st *State, resource, identity string) {
	if strings.HasSuffix(resource, "/.default") || st.Resources[strings.TrimSuffix(resource, "/")] == nil {
		writeJSON(w, http.StatusBadRequest, identityError{"invalid_resource",
			fmt.Sprintf("AADSTS50001: The application named %s was not found in the tenant. This can happen if the "+
				"application has not been installed by the administrator of the tenant or consented to by any user "+
				"in the tenant. You might have sent your authentication request to the wrong tenant.",
				printable(resource))})
		return
	}
	q := &tokenRequest{e: e, st: st, now: e.entraNow(st), acr: "2"}
	if !q.findIdentity(identity) {
		writeJSON(w, http.StatusBadRequest, identityError{"invalid_request", "Identity not found"})
		return
	}
	res := st.Resources[strings.TrimSuffix(resource, "/")]
	c := q.appClaims(res)
	life := st.Entra.ExpiresIn
	// All numbers are strings here.
	writeJSON(w, http.StatusOK, map[string]string{
		"access_token": e.issue(c, st.Entra.TokenSize), "client_id": q.clientID, "resource": resource,
		"token_type": "Bearer",
		"expires_in": strconv.Itoa(life),
		"expires_on": strconv.FormatInt(q.now.Add(time.Duration(life)*time.Second).Unix(), 10),
		"not_before": strconv.FormatInt(q.now.Unix()-300, 10), "ext_expires_in": strconv.Itoa(life),
	})
}

// findIdentity finds the host's identity: the system-assigned one, or the user-assigned
// one by client id, object id or resource id (whose last part is its name). With a
// single user-assigned one and no system-assigned one, no name is needed.
func (q *tokenRequest) findIdentity(name string) bool {
	users := 0
	for id, t := range q.st.Tenants {
		for clientID, app := range t.Apps {
			match := app.ManagedIdentity == "system" && name == "" ||
				app.ManagedIdentity == "user" && name != "" &&
					(strings.EqualFold(name, clientID) || strings.EqualFold(name, app.ObjectID) ||
						strings.HasSuffix(name, "/"+app.Name))
			if match {
				q.tenantID, q.tenant, q.clientID, q.app = id, t, clientID, app
				return true
			}
			if app.ManagedIdentity == "user" && name == "" {
				users++
				q.tenantID, q.tenant, q.clientID, q.app = id, t, clientID, app
			}
		}
	}
	return users == 1
}
