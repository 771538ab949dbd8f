package emulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"o365-sendmail/internal/emulator"
)

// control calls the control endpoint and returns status and body.
func control(t testing.TB, e *emulator.Emulator, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, e.ControlURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestControl(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	want := func(method, path, body string, status int, contains string) {
		t.Helper()
		code, got := control(t, e, method, path, body)
		if code != status || !strings.Contains(got, contains) {
			t.Errorf("%s %s: %d %.300s; want %d %s", method, path, code, got, status, contains)
		}
	}
	want("GET", "/help", "", 200, "PATCH  /state")
	want("GET", "/state", "", 200, `"expires_in":3599`)
	want("PATCH", "/state", `{"entra":{"expires_in":60},"exchange":{"tarpit":"1ms"}}`, 200, `"ok":true`)
	if s := e.State(); s.Entra.ExpiresIn != 60 || s.Entra.TokenSize != 1600 || s.Exchange.Tarpit == 0 {
		t.Errorf("state: %+v", s.Entra)
	}
	want("PATCH", "/state", `{"entra":{"expiresin":60}}`, 400, "unknown field")
	want("PATCH", "/state", `[]`, 400, "no JSON object")
	box := `{"tenants":{"` + e.Tenant + `":{"mailboxes":{"` + e.Mailbox + `":{"smtp_auth_disabled":null}}}}}`
	want("PATCH", "/state", box, 200, "ok")
	if got := secure(t, e).auth(e.Mailbox, token(t, e)); !strings.Contains(got, "disabled for the Tenant") {
		t.Errorf("inherited switch: %q", got)
	}
	want("PATCH", "/state", strings.Replace(box, "null", "false", 1), 200, "ok")

	want("PUT", "/faults/secret-wrong", "", 200, "ok")
	want("PUT", "/faults/nothing", "", 400, "no fault is named")
	want("GET", "/faults", "", 200, `"shows":"AADSTS7000215","set":true`)
	want("DELETE", "/faults/secret-wrong", "", 200, "ok")
	want("PUT", "/faults/smtp-busy", "", 200, "ok")
	want("DELETE", "/faults", "", 200, "ok")
	if n := len(e.ActiveFaults()) + len(e.Rules()); n != 0 {
		t.Errorf("%d faults and rules are left", n)
	}

	want("POST", "/rules", `{"stage":"noop","reply":"450 a","delay":"1ms"}`, 200, "ok")
	want("POST", "/rules", `[{"stage":"rset","reply":"450 b"}]`, 200, "ok")
	want("POST", "/rules", `{"stage":"x"}`, 400, "unknown stage")
	want("GET", "/rules", "", 200, `"delay":"1ms"`)
	want("DELETE", "/rules", "", 200, "ok")
	want("GET", "/rules", "", 200, "[]")

	want("GET", "/messages", "", 200, "[]")
	signedIn(t, e).send(message(e))
	want("GET", "/messages?wait=1", "", 200, `"message_id":"<1@example.test>"`)
	want("GET", "/messages?wait=2&timeout=1ms", "", 504, "1 of 2 messages")
	want("GET", "/messages?wait=x", "", 400, "error")
	want("GET", "/messages/1", "", 200, `"to":["a@example.test"]`)
	want("GET", "/messages/1.eml", "", 200, message(e))
	want("GET", "/messages/2", "", 404, "no message 2")
	want("GET", "/stats", "", 200, `"messages":1`)
	want("GET", "/transcript", "", 200, "C: MAIL FROM")
	want("GET", "/config?dir=/d", "", 200, `dir = "/d/cache"`)
	want("GET", "/ca", "", 200, "BEGIN CERTIFICATE")
	want("DELETE", "/messages", "", 200, "ok")
	want("DELETE", "/stats", "", 200, "ok")
	if len(e.Messages()) != 0 || e.Stats().Messages != 0 {
		t.Error("not forgotten")
	}
	for _, path := range []string{"/revoke/access", "/revoke/refresh", "/forget-sent"} {
		want("POST", path, "", 200, "ok")
	}
	want("GET", "/device", "", 200, "")
	want("POST", "/device/X?user=a", "", 400, "no sign-in waits")
	want("DELETE", "/device/X", "", 400, "no sign-in waits")
}

// TestFaultsDoNotTouchTheBase: what a fault has changed comes back, and what Update has
// changed in between stays.
func TestFaultsDoNotTouchTheBase(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	before, err := json.Marshal(e.State())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range emulator.Faults() { // all at once, in both orders
		if err := e.SetFault(f.Name); err != nil {
			t.Error(err)
		}
	}
	if err := e.ClearFaults(); err != nil {
		t.Error(err)
	}
	all := emulator.Faults()
	for i := range all {
		if err := e.SetFault(all[len(all)-1-i].Name); err != nil {
			t.Error(err)
		}
	}
	e.Update(func(s *emulator.State) { s.Entra.ExpiresIn = 7 })
	if err := e.ClearFaults(); err != nil {
		t.Error(err)
	}
	after := e.State()
	if after.Entra.ExpiresIn != 7 {
		t.Error("an update was lost")
	}
	after.Entra.ExpiresIn = 3599
	if b, err := json.Marshal(after); err != nil || string(b) != string(before) {
		t.Errorf("state differs: %v\n%s\n%s", err, before, b)
	}
}
