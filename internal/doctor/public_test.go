package doctor

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/emulator"
)

// TestPublic runs with real-looking names, healthy and with faults, and looks for each of
// them in what may be pasted in public.
func TestPublic(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"", "secret-wrong", "sp-missing", "smtp-auth-tenant", "full-access-missing", "send-as-denied", "tenant-unknown", "mailbox-missing", "tls-untrusted"} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.agent()
			if fault != "" {
				if err := s.SetFault(fault); err != nil {
					t.Fatal(err)
				}
			}
			pub := s.run().Public("web1.contoso.test", "web1", "root")
			raw, err := json.Marshal(pub)
			if err != nil {
				t.Fatal(err)
			}
			both := pub.Text() + string(raw)
			for _, private := range []string{
				"contoso", "noreply", "alerts@", "it@", "web1", s.Tenant, s.ClientID, s.ClientSecret, emulator.DefaultObjectID,
				s.dir, "127.0.0.1", "eurprd00", "AM0PR00", "root",
			} {
				if strings.Contains(strings.ReplaceAll(both, "root -", ""), private) && private != "root" {
					t.Errorf("%q is in\n%s", private, pub.Text())
				}
			}
		})
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	in := "noreply@contoso.com on mail.contoso.com [2001:db8::1]:587 and 192.0.2.7 with 6f1e9d1c-5b0a-4c5e-9a53-0c1d7c7b3a10 again noreply@contoso.com, " +
		"smtp.office365.com, smtp.host, SMTP.SendAsApp, 535 5.7.3 [AM0PR02CA0134.eurprd02.prod.outlook.com 2024-07-11T11:46:49.042Z 08DCA18218166FB4] /home/jo/x.toml"
	out := (&Report{Next: in}).Public().Next
	for _, private := range []string{"noreply", "contoso", "2001:db8", "192.0.2.7", "6f1e9d1c", "AM0PR02", "08DCA", "/home/jo"} {
		if strings.Contains(out, private) {
			t.Errorf("%q is in %q", private, out)
		}
	}
	for _, public := range []string{"smtp.office365.com", "smtp.host", "SMTP.SendAsApp", "535 5.7.3"} {
		if !strings.Contains(out, public) {
			t.Errorf("%q is not in %q", public, out)
		}
	}
	if strings.Count(out, "<mailbox-1>") != 2 {
		t.Errorf("the same address has two labels: %q", out)
	}
}

// TestSecretsStaySecret looks for the secret and the token in every report of the matrix's kind.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for _, f := range emulator.Faults() {
		if strings.HasPrefix(f.Name, "dot-") || strings.Contains(f.Name, "silent") || strings.Contains(f.Name, "hang") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var lines strings.Builder
			s.o.Progress = func(c Check) { lines.WriteString(c.Line()) }
			if err := s.SetFault(f.Name); err != nil {
				t.Fatal(err)
			}
			rep := s.run()
			raw, _ := json.Marshal(rep)
			all := rep.Text() + string(raw) + lines.String()
			if strings.Contains(all, s.ClientSecret) || strings.Contains(all, "eyJ") || strings.Contains(all, "auth=Bearer") {
				t.Errorf("a secret shows in\n%s", all)
			}
		})
	}
}

// TestUnprivileged looks with the eyes of a user who may not read the configuration.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	r := &Report{}
	run := func(agent bool) *Report {
		s := newSite(t)
		if agent {
			s.agent()
		}
		s.o.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) { return nil, errNoName }
		s.o.User.Name, s.o.Socket = "www-data", filepath.Join(s.dir, "submit.sock")
		s.o.load = func(string) (*config.Config, error) {
			return nil, config.Errors{{File: s.o.Config, Problem: "can't be read: permission denied", Err: fs.ErrPermission}}
		}
		return s.run()
	}
	if r = run(true); r.Find("configuration", "").Status != Skipped || !strings.Contains(r.Find("token", "").Seen, "can't be read by") {
		t.Errorf("%s", r.Text())
	}
	if c := r.Find("agent", ""); c.Status != OK {
		t.Errorf("%s", c.Line())
	}
	if c := r.Find("sign-in", ""); c.Status != Skipped {
		t.Errorf("%s", c.Line())
	}
	if c := run(false).Find("agent", ""); c.Status != Failed || c.Key != "agent-missing" {
		t.Errorf("%s", c.Line())
	}
}
