package cli

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// machineChecks are checks of doctor whose outcome is the test machine's: a record leaves them out.
var machineChecks = regexp.MustCompile(`(?m)^(?:ok|warning|error) +(?:names|sendmail|clock|identity|agent|alerts by|` +
	`metrics|local names|system|spool):.*\n(?:         .*\n)*`)

func (s *site) record() *session {
	return &session{hide: strings.NewReplacer(s.config, "/etc/o365-sendmail.toml", s.dir, "/var/lib/o365-sendmail",
		"sudo ", "", s.ClientSecret, "SECRET", s.ClientID, "2c1a7c38-...", s.Tenant, "0d1f2a6b-...",
		emulator.DefaultObjectID, "9b5e4f10-...")}
}

// counted is the count of what is not shown, which depends on the machine: a record has N for it.
var counted = regexp.MustCompile(`\d+ more ok, \d+ skipped`)

func (s *session) verb(command string, r result) {
	r.stdout = counted.ReplaceAllString(machineChecks.ReplaceAllString(r.stdout, ""), "N more ok, N skipped")
	s.add(command, r)
}

// TestSetupSession sets a fresh machine up and sends a first message. The record is docs/sessions.
func TestSetupSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.writeConfig(t, s.plumbing())
	log := s.record()
	r := s.verb(s.ClientSecret+"\n", s.setupArgs("--way", "api", "--send-to", s.RootTo)...)
	s.silent(t, r)
	if r.code != 0 || len(s.Messages()) != 1 {
		t.Errorf("exit %d, %d messages\n%s%s", r.code, len(s.Messages()), r.stdout, r.stderr)
	}
	log.verb("o365-sendmail setup --tenant 0d1f2a6b-... --client-id 2c1a7c38-... --client-secret-stdin \\\n"+
		"    --secret-expires 2099-01-31 --mailbox "+s.Mailbox+" --way api --root-to "+s.RootTo+" --send-to "+
		s.RootTo, r)
	log.golden(t, "setup.txt")
}

// TestDoctorSession has three faults at once: each is shown with its remedy, and what is well is counted.
func TestDoctorSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	text := strings.Replace(s.ConfigTOML(s.dir), "alert_to ", "#", 1)
	s.writeConfig(t, "secret_expires = "+time.Now().AddDate(0, 0, 9).Format(time.DateOnly)+"\n"+text)
	if err := s.SetFault("sp-missing"); err != nil {
		t.Fatal(err)
	}
	log := s.record()
	r := s.verb("", "doctor")
	s.silent(t, r)
	if r.code != sysexits.Config || strings.Contains(r.stdout, "\nok ") || strings.Contains(r.stdout, "\x1b") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, want := range []string{"alerts", "error    sign-in", "secret"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
	log.verb("o365-sendmail doctor", r)
	log.golden(t, "doctor.txt")
}

// webhook is a service on the web that takes alerts, trusted by the site.
func (h *hostWithAgent) webhook(t *testing.T) <-chan string {
	t.Helper()
	posts := make(chan string, 10)
	sink := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts <- string(b)
	}))
	t.Cleanup(sink.Close)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	ca := regexp.MustCompile(`(?m)^ca_file *= *"(.*)"`).FindSubmatch(text)
	f, err := os.OpenFile(string(ca[1]), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: sink.Certificate().Raw})
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	h.mustWrite(t, string(text)+"\n[alerts]\nwebhook = \""+sink.URL+"/hook\"\nwebhook_body = \"{text}\"\n")
	h.stop()
	h.start(t)
	return posts
}

// TestAlertSession stops mail by an expired secret: the webhook hears it, although no mail goes, and hears of its end
// when the next secret is in force. The record is docs/sessions.
func TestAlertSession(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	posts := h.webhook(t)
	log := h.record()
	heard := func() string {
		t.Helper()
		select {
		case text := <-posts:
			fmt.Fprintf(&log.text, "(the webhook hears)\n%s\n\n", text)
			return text
		case <-time.After(30 * time.Second):
			t.Fatal("the webhook heard nothing")
		}
		return ""
	}
	h.Update(func(st *emulator.State) {
		for _, secret := range st.Tenant(h.Tenant).Apps[h.ClientID].Secrets {
			secret.Expires = time.Now().Add(-time.Hour)
		}
	})
	r := h.call(strings.NewReader("Subject: backup of the night\n\nwent well\n"), "-i", "root")
	r.want(t, 0, "")
	log.add("printf 'Subject: backup of the night\\n\\nwent well\\n' | sendmail -i root", r)
	if text := heard(); !strings.Contains(text, "Mail is held: ") || strings.Contains(text, "backup") ||
		len(h.Messages()) != 0 {
		t.Errorf("%s; %d messages went", text, len(h.Messages()))
	}
	if r = h.verbAt("", "doctor", "--nagios"); r.code != 2 {
		t.Errorf("%+v", r)
	}
	log.add("o365-sendmail doctor --nagios", r)
	h.addSecret(nextSecret)
	r = h.verbAt(nextSecret+"\n", "credential", "set-secret")
	if h.silent(t, r); r.code != 0 {
		t.Errorf("%+v", r)
	}
	log.add("o365-sendmail credential set-secret <new-secret", r)
	if text := heard(); !strings.Contains(text, "Mail is delivered again") || len(h.Messages()) != 1 {
		t.Errorf("%s; %d messages", text, len(h.Messages()))
	}
	log.golden(t, "alert.txt")
}
