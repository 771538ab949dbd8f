package emulator_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

// finding is where a delivery went wrong, and what was said.
type finding struct{ stage, reply string }

// walker is a client that goes as far as it gets, and says where it stopped.
type walker struct {
	t      *testing.T
	e      *emulator.Emulator
	form   url.Values
	silent string // the stage that gets no answer
}

// patience is short where a fault is silence, and only there.
func (w *walker) patience(stage string) time.Duration {
	if stage == w.silent {
		return 300 * time.Millisecond
	}
	return 30 * time.Second
}

func (w *walker) walk() finding {
	access, f := w.token()
	if f.stage != "" {
		return f
	}
	return w.submit(access)
}

func (w *walker) token() (string, finding) {
	hc := httpClient(w.t, w.e)
	hc.Timeout = w.patience("token")
	if strings.HasPrefix(w.t.Name(), "TestFaults/identity-") {
		res, err := hc.Get(w.e.IdentityURL() + "/metadata/identity/oauth2/token")
		if err != nil {
			return "", finding{"token", err.Error()}
		}
		return "", finding{"token", strconv.Itoa(readAnswer(w.t, res).Status)}
	}
	res, err := hc.PostForm(w.e.TokenURL(), w.form)
	if err != nil {
		return "", finding{"token", "error: " + err.Error()}
	}
	if res.StatusCode == 200 && !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return "", finding{"token", "200"}
	}
	if res.ContentLength >= 0 && res.ContentLength < 300 && res.StatusCode == 200 {
		return "", finding{"token", "error: truncated"}
	}
	a := readAnswer(w.t, res)
	switch {
	case a.Description != "":
		return "", finding{"token", a.Description}
	case a.Access == "":
		return "", finding{"token", strconv.Itoa(a.Status)}
	}
	return a.Access, w.claims(a)
}

func (w *walker) claims(a answer) finding {
	date, err := time.Parse(time.RFC1123, a.Header.Get("Date"))
	if err != nil {
		return finding{"claims", err.Error()}
	}
	if d := time.Since(date); d > time.Minute || d < -time.Minute {
		return finding{"claims", "error: clock"}
	}
	if a.ExpiresIn != 3599 || len(a.Access) > 4000 {
		return finding{"claims", "error: odd token"}
	}
	return finding{}
}

func (w *walker) submit(access string) finding {
	host, port := w.e.SMTPAddr()
	conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return finding{"connect", "error: " + err.Error()}
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(w.patience("connect")))
	c := &client{w.t, w.e, conn, bufio.NewReader(conn)}
	if s, err := c.tryRead(); err != nil || !strings.Contains(s, "Microsoft ESMTP MAIL Service ready") {
		return finding{"connect", orError(s, err)}
	}
	if s := c.cmd("EHLO client.example.test"); !strings.HasPrefix(s, "250") {
		return finding{"ehlo", s}
	}
	if s := c.cmd("STARTTLS"); !strings.HasPrefix(s, "220") {
		return finding{"starttls", s}
	}
	if err := c.handshake(nil); err != nil {
		return finding{"tls", "error: " + err.Error()}
	}
	if s := c.cmd("EHLO client.example.test"); !strings.HasPrefix(s, "250") {
		return finding{"ehlo", s}
	}
	return c.transaction(access, w.patience)
}

func orError(s string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return s
}

// transaction goes on from AUTH.
func (c *client) transaction(access string, patience func(stage string) time.Duration) finding {
	text := message(c.e)
	if strings.HasSuffix(c.t.Name(), "/size-small") {
		text += strings.Repeat("0123456789\r\n", 100000)
	}
	steps := []struct{ stage, line, want string }{
		{"auth", "AUTH XOAUTH2 " + blob(c.e.Mailbox, access), "235"},
		{"mail", fmt.Sprintf("MAIL FROM:<%s> SIZE=%d", c.e.Mailbox, len(text)), "250"},
		{"rcpt", "RCPT TO:<a@example.test>", "250"},
		{"rcpt", "RCPT TO:<b@example.test>", "250"},
		{"data", "DATA", "354"},
		{"dot", text + ".", "250"},
	}
	if strings.Contains(c.t.Name(), "/bdat-") {
		steps = append(steps[:4], struct{ stage, line, want string }{"bdat",
			fmt.Sprintf("BDAT %d LAST\r\n", len(text)) + strings.TrimSuffix(text, "\r\n"), "250"})
	}
	eightBit := strings.HasSuffix(c.t.Name(), "/8bit-damaged")
	if eightBit {
		text = strings.Replace(text, "\r\n\r\n", "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "+
			"boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u00fc\r\n--b--\r\n", 1)
		steps[1].line = fmt.Sprintf("MAIL FROM:<%s> BODY=8BITMIME", c.e.Mailbox)
		steps[5].line = text + "."
	}
	for _, s := range steps {
		_ = c.conn.SetDeadline(time.Now().Add(patience(s.stage)))
		c.write(s.line + "\r\n")
		reply, err := c.tryRead()
		if err != nil || !strings.HasPrefix(reply, s.want) {
			return finding{s.stage, orError(reply, err)}
		}
	}
	if got := c.e.Messages(); eightBit && string(got[len(got)-1].Data) != text {
		return finding{"kept", "error: damaged"}
	}
	return finding{}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	faults := emulator.Faults()
	if len(faults) < 25 {
		t.Errorf("only %d faults", len(faults))
	}
	seen := map[string]bool{}
	for _, f := range faults {
		if seen[f.Name] {
			t.Errorf("two faults are named %s", f.Name)
		}
		seen[f.Name] = true
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			e := emulator.New(t)
			form := secretForm(e)
			switch {
			case strings.HasPrefix(f.Name, "certificate-"):
				form = assertionForm(e, certAssertion(t, e))
			case strings.HasPrefix(f.Name, "federation-"):
				issuer, err := e.AddFederation("https://kubernetes.example.test", "sub")
				if err != nil {
					t.Fatal(err)
				}
				token, err := issuer.Token("sub", emulator.AzureAudience, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				form = assertionForm(e, token)
			}
			w := &walker{t: t, e: e, form: form}
			switch f.Name {
			case "token-hang", "smtp-silent", "bdat-silent":
				w.silent = f.Stage
			}
			if err := e.SetFault(f.Name); err != nil {
				t.Fatal(err)
			}
			if f.Name == "token-loop" {
				w.walk()
			}
			got := w.walk()
			if got.stage != f.Stage || !strings.HasPrefix(got.reply, f.Shows) {
				t.Errorf("at %s: %q, want at %s: %q", got.stage, got.reply, f.Stage, f.Shows)
			}
			if f.Shows == "" && !strings.HasPrefix(got.reply, "error: ") {
				t.Errorf("want an error, not a reply: %q", got.reply)
			}
			if f.Name == "identity-missing" {
				return
			}
			if err := e.ClearFault(f.Name); err != nil {
				t.Fatal(err)
			}
			w.silent = ""
			if strings.HasPrefix(f.Name, "certificate-") {
				w.form = assertionForm(e, certAssertion(t, e))
			}
			if got := w.walk(); got.stage != "" {
				t.Errorf("after the fault: %+v", got)
			}
		})
	}
}

// certAssertion registers a certificate and signs an assertion with its key.
func certAssertion(t *testing.T, e *emulator.Emulator) string {
	der, text := certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	e.AddCertificate(text)
	sum := sha256.Sum256(der)
	return jwt(t, map[string]any{"alg": "PS256", "typ": "JWT",
		"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}, map[string]any{
		"aud": e.TokenURL(), "iss": e.ClientID, "sub": e.ClientID, "jti": fmt.Sprint(time.Now().UnixNano()),
		"nbf": time.Now().Unix(), "exp": time.Now().Unix() + 600,
	})
}

// TestRBAC: App RBAC needs neither Entra permission nor FullAccess.
func TestRBAC(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	e.Update(func(s *emulator.State) {
		s.App(e.ClientID).Roles = nil
		s.Mailbox(e.Mailbox).FullAccess = nil
		s.Tenant(e.Tenant).RoleAssignments[e.ClientID] = &emulator.RoleAssignment{Mailboxes: []string{e.Mailbox}}
	})
	if c := claimsOf(t, token(t, e)); c["roles"] != nil {
		t.Errorf("roles: %v", c["roles"])
	}
	if got := signedIn(t, e).send(message(e)); !strings.HasPrefix(got, "250 2.0.0 OK") {
		t.Error(got)
	}
	if got := secure(t, e).auth("alerts@contoso.test", token(t, e)); !strings.HasPrefix(got, "535 5.7.3 ") {
		t.Error(got)
	}
}

// TestPropagation: a permission works once its time has come.
func TestPropagation(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := emulator.New(t, withClock(c))
	e.Update(func(s *emulator.State) {
		s.Tenant(e.Tenant).Propagation = emulator.Duration(time.Hour)
		s.Mailbox(e.Mailbox).FullAccess[emulator.DefaultObjectID].Since = c.now()
	})
	if got := signedIn(t, e).send(message(e)); !strings.HasPrefix(got, "430 4.2.0 STOREDRV; mailbox logon failure;") {
		t.Error(got)
	}
	c.add(time.Hour)
	if got := signedIn(t, e).send(message(e)); !strings.HasPrefix(got, "250") {
		t.Error(got)
	}
}

func TestOldTLS(t *testing.T) {
	t.Parallel()
	e := emulator.New(t)
	c := dial(t, e)
	c.read()
	c.cmd("EHLO client.example.test")
	c.startTLS(&tls.Config{RootCAs: e.CAPool(), ServerName: "localhost", MinVersion: tls.VersionTLS10,
		MaxVersion: tls.VersionTLS11})
	c.cmd("EHLO client.example.test")
	match(t, `^421 4\.7\.66 TLS 1\.0 and 1\.1 are not supported\. Please upgrade/update your client to support TLS 1\.2\. Visit https://aka\.ms/smtp_auth_tls\.`+tagPattern, c.cmd("AUTH XOAUTH2"))
	if s, err := c.tryRead(); err == nil {
		t.Errorf("after 421: %q", s)
	}
}
