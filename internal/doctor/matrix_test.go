package doctor

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
)

// row is one step left undone, alone, and what the doctor has to say about it.
type row struct {
	// undone is a fault of the emulator, or a name of its own with a change.
	undone string
	change func(t *testing.T, s *site)

	check, key string // what must be named, and nothing else
	remedy     string // must be in the hint, and in "next"
}

const (
	oid       = emulator.DefaultObjectID
	appID     = emulator.DefaultClientID
	newSP     = "New-ServicePrincipal -AppId " + appID + " -ObjectId " + oid
	fullMail  = "Add-MailboxPermission -Identity noreply@contoso.test -User " + oid + " -AccessRights FullAccess"
	smtpAuth  = "Set-CASMailbox -Identity noreply@contoso.test -SmtpClientAuthenticationDisabled $false"
	sendAsX   = "Add-RecipientPermission -Identity noreply@contoso.test -Trustee " + oid
	secrets   = "New client secret"
	unblock   = "Restricted entities"
	firewall  = "firewall"
	statusURL = "https://status.cloud.microsoft"
)

func rows() []row {
	var all []row
	for _, part := range [][]row{machineRows(), networkRows(), entraRows(), credentialRows(), signInRows(),
		messageRows(), tenantRows()} {
		all = append(all, part...)
	}
	return all
}

// machineRows are steps on the machine itself.
func machineRows() []row {
	return []row{
		{"config-missing", func(_ *testing.T, s *site) { s.text = "" }, "configuration", "config-missing", "o365-sendmail setup"},
		{"config-key-typo", func(_ *testing.T, s *site) { s.text = "tennant = \"x\"\n" + s.text }, "configuration", "config-fault", "write tenant in place of tennant"},
		{"config-world-readable", func(t *testing.T, s *site) {
			s.write()
			if err := os.Chmod(s.o.Config, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "configuration", "config-fault", "chmod " + rightMode()},
		{"client-secret-left-out", func(_ *testing.T, s *site) { s.without("client_secret") }, "configuration", "config-fault", "client_secret"},
		{"secret-file-missing", func(_ *testing.T, s *site) {
			s.without("client_secret")
			s.replace("client_secret_file", s.dir+"/no.secret")
		}, "credential", "credential", "o365-sendmail setup"},
		{"secret-end-unknown", func(_ *testing.T, s *site) { s.without("secret_expires") }, "expiry", "expiry-unknown", "set secret_expires"},
		{"secret-ends-soon", func(_ *testing.T, s *site) {
			s.text = "secret_expires = " + time.Now().AddDate(0, 0, 10).Format(time.DateOnly) + "\n" + without(s.text, "secret_expires")
		}, "expiry", "expires-soon", secrets},
		{"mailbox-below-onmicrosoft", func(t *testing.T, s *site) {
			s.Update(func(st *emulator.State) {
				boxes := st.Tenant(s.Tenant).Mailboxes
				boxes["noreply@contoso.onmicrosoft.com"] = boxes[s.Mailbox]
			})
			s.replace("mailbox", "noreply@contoso.onmicrosoft.com")
		}, "domain", "onmicrosoft-sender", "domain of your own"},
		{"alert-to-left-out", func(_ *testing.T, s *site) { s.without("alert_to") }, "alerts", "alert-to-missing", "set alert_to"},
		{"webhook-file-missing", func(_ *testing.T, s *site) {
			s.text += "\n[alerts]\nwebhook_file = \"" + s.dir +
				"/none\"\n"
		},
			"alerts", "alert-webhook", "webhook_file"},
		{"root-to-left-out", func(_ *testing.T, s *site) { s.without("root_to") }, "aliases", "root-nowhere", "set root_to"},
		{"spool-missing", func(_ *testing.T, s *site) {
			s.text = strings.Replace(s.text, "[spool]\ndir = \""+s.dir, "[spool]\ndir = \""+s.dir+"/none", 1)
		}, "spool", "spool-missing", "install -d"},
		{"agent-dead", func(t *testing.T, s *site) {
			path := filepath.Join(s.dir, "dead.sock")
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
			s.text = strings.ReplaceAll(s.text, "submit.sock", "dead.sock")
		}, "agent", "agent-dead", "o365-sendmail"},
		{"ca-file-missing", func(_ *testing.T, s *site) { s.text = strings.Replace(s.text, s.CAFile(), s.dir+"/no.pem", 1) }, "roots", "roots", "tls.ca_file"},
	}
}

// networkRows are what stands between the machine and Microsoft.
func networkRows() []row {
	return []row{
		{"dns-login", lookup(func(*site, string) error { return errNoName }, 1), "login-dns", "dns", "/etc/resolv.conf"},
		{"dns-smtp", lookup(func(*site, string) error { return errNoName }, 2), "smtp-dns", "dns", "/etc/resolv.conf"},
		{"tcp-443-filtered", dial(func(s *site, address string) error { return blockPort(address, s.LoginHost()) }), "login-ipv4", "connect", "open outbound"},
		{"tcp-587-filtered", dial(func(s *site, address string) error { return blockPort(address, fmt.Sprint(":", s.SMTPPort())) }), "smtp-ipv4", "connect", "open outbound"},
		{"ipv6-broken", func(t *testing.T, s *site) {
			n := 0
			s.o.LookupNetIP = func(context.Context, string, string) ([]netip.Addr, error) {
				n++
				list := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
				if n == 2 {
					list = append(list, netip.IPv6Loopback())
				}
				return list, nil
			}
			dial(func(_ *site, address string) error {
				if strings.HasPrefix(address, "[") {
					return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}
				}
				return nil
			})(t, s)
		}, "smtp-ipv6", "connect", "smtp.ipv4_only"},
		{"token-closed", nil, "login-ipv4", "connect", "open outbound"},
		{"token-untrusted", nil, "login-tls", "certificate-authority", "tls.ca_file"},
		{"token-hang", shorter, "token", "token", ""},
		{"token-reset", nil, "token", "token", ""},
		{"token-500", nil, "token", "http-500", statusURL},
		{"token-503", nil, "token", "http-503", statusURL},
		{"token-429", nil, "token", "http-429", ""},
		{"token-not-json", nil, "token", "http-200", "token.proxy"},
		{"token-truncated", nil, "token", "http-200", ""},
		{"smtp-closed", nil, "smtp-ipv4", "connect", "open outbound"},
		{"smtp-silent", shorter, "smtp-greeting", "timeout", firewall},
		{"smtp-reset", nil, "smtp-greeting", "connection-lost", firewall},
		{"smtp-busy", nil, "smtp-greeting", "service-closing", statusURL},
		{"smtp-foreign", nil, "smtp-greeting", "smtp-foreign", "check smtp.host"},
		{"ehlo-name", nil, "smtp-starttls", "ehlo-name", "smtp.ehlo_name"},
		{"starttls-stripped", nil, "smtp-starttls", "starttls-not-offered", "allow port 587 unmodified"},
		{"tls-untrusted", nil, "smtp-tls", "certificate-authority", "tls.ca_file"},
		{"tls-expired", nil, "smtp-tls", "certificate-expired", "timedatectl"},
		{"tls-wrong-name", nil, "smtp-tls", "certificate-name", "smtp.host"},
		{"tls-old", nil, "smtp-tls", "tls-version", "tls.min_version"},
		{"tls-broken", nil, "smtp-tls", "tls", firewall},
	}
}

// entraRows are steps in Entra.
func entraRows() []row {
	return []row{
		{"tenant-unknown", nil, "tenant", "aadsts-90002", "Directory (tenant) ID"},
		{"tenant-typo", func(_ *testing.T, s *site) {
			s.text = strings.ReplaceAll(s.text, s.Tenant, "6f1e9d1c-5b0a-4c5e-9a53-0c1d7c7b3a11")
		}, "tenant", "aadsts-90002", "Directory (tenant) ID"},
		{"app-unknown", nil, "token", "aadsts-700016", "Application (client) ID"},
		{"client-id-is-object-id", func(_ *testing.T, s *site) { s.replace("client_id", emulator.DefaultRegistrationID) }, "token", "aadsts-700016", "Application (client) ID"},
		{"app-no-service-principal", nil, "token", "aadsts-7000229", "az ad sp create --id " + appID},
		{"app-disabled", nil, "token", "aadsts-7000112", "accountEnabled=true"},
		{"secret-wrong", nil, "token", "aadsts-7000215", secrets},
		{"secret-id-in-place-of-value", func(_ *testing.T, s *site) { s.replace("client_secret", emulator.DefaultSecretID) }, "configuration", "config-fault", "copy the column Value"},
		{"secret-expired", nil, "token", "aadsts-7000222", secrets},
		{"resource-missing", nil, "token", "aadsts-500011", "Exchange Online licence"},
		{"resource-disabled", nil, "token", "aadsts-500014", "Exchange Online licence"},
		{"conditional-access", nil, "token", "aadsts-53003", "public IP address"},
		{"clock-ahead", nil, "clock", "clock", "timedatectl set-ntp true"},
		{"clock-behind", nil, "clock", "clock", "timedatectl set-ntp true"},
		{"token-wrong-audience", nil, "claims", "wrong-audience", "cloud"},
	}
}

// credentialRows are for the other credentials.
func credentialRows() []row {
	return []row{
		{"certificate-unknown", withCertificate, "token", "aadsts-700027", "Upload certificate"},
		{"federation-issuer", withFederation, "token", "aadsts-700211", "Federated credentials"},
		{"federation-audience", withFederation, "token", "aadsts-700212", "Federated credentials"},
		{"federation-subject", withFederation, "token", "aadsts-700213", "Federated credentials"},
		{"identity-missing", func(_ *testing.T, s *site) {
			s.without("client_secret")
			s.without("secret_expires")
			s.text += "\n[credential]\ntype = \"managed-identity\"\nidentity_endpoint = \"" + s.IdentityURL() + "\"\n"
		}, "token", "", "az vm identity assign"},
	}
}

// signInRows are steps in Exchange Online that show at AUTH.
func signInRows() []row {
	scoped := func(_ *testing.T, s *site) { s.o.Way = diagnose.WayScoped }
	return []row{
		{"consent-missing", nil, "sign-in", "permission", "Grant admin consent"},
		{"auth-challenge", nil, "sign-in", "permission", "Grant admin consent"},
		{"sp-missing", nil, "sign-in", "service-principal", newSP},
		{"sp-wrong-object-id", nil, "sign-in", "service-principal", newSP},
		{"sp-propagating", nil, "sign-in", "service-principal", "2 h"},
		{"sp-flapping", nil, "sign-in", "spreading", "2 h"},
		{"mailbox-missing", nil, "sign-in", "not-a-mailbox", "Get-EXOMailbox -Identity noreply@contoso.test"},
		{"mailbox-unlicensed", nil, "sign-in", "not-a-mailbox", "licence"},
		{"mailbox-typo", func(_ *testing.T, s *site) { s.replace("mailbox", "norepyl@contoso.test") }, "sign-in", "not-a-mailbox", "correct mailbox"},
		{"rbac-out-of-scope", nil, "sign-in", "scope", "Add-DistributionGroupMember"},
		{"rbac-propagating", scoped, "sign-in", "scoped-role", "2 h"},
		{"smtp-auth-tenant", nil, "sign-in", "smtp-auth-disabled-tenant", smtpAuth},
		{"smtp-auth-mailbox", nil, "sign-in", "smtp-auth-disabled-mailbox", smtpAuth},
		{"security-defaults", nil, "sign-in", "security-defaults", "security defaults"},
		{"auth-policy", nil, "sign-in", "access-policy", "Conditional Access"},
		{"auth-organization", nil, "sign-in", "organization-policy", "authentication policies"},
		{"auth-hve", nil, "sign-in", "user-not-valid", "correct mailbox"},
		{"auth-tls-old", nil, "sign-in", "tls-too-old", "TLS"},
		{"auth-not-active", nil, "sign-in", "service-closing", statusURL},
		{"auth-proxy", nil, "sign-in", "sign-in-unavailable", statusURL},
		{"auth-retired", nil, "sign-in", "basic-auth-retired", "XOAUTH2"},
		{"auth-not-offered", nil, "smtp-auth", "xoauth2-not-offered", "smtp.host"},
		{"auth-basic-off", nil, "sign-in", "basic-auth", "XOAUTH2"},
		{"auth-basic-wrong", nil, "sign-in", "basic-auth", "XOAUTH2"},
		{"auth-sts-down", nil, "sign-in", "basic-auth", "XOAUTH2"},
		{"auth-sts-plain", nil, "sign-in", "basic-auth", "XOAUTH2"},
		{"auth-personal", nil, "sign-in", "smtp-auth-disabled-mailbox", smtpAuth},
		{"hve-token-expiring", nil, "sign-in", "token-expired", "clock"},
		{"hve-token-expired", nil, "sign-in", "token-expired", "clock"},
		{"hve-permission", nil, "sign-in", "hve-permission", "Mail.Send"},
		{"hve-app-access", nil, "sign-in", "hve-app-access",
			"Add-HVEAppAccess -Identity noreply@contoso.test -AppIds " + oid},
		{"hve-no-account", nil, "sign-in", "hve-not-an-account", "High Volume Email account"},
		{"hve-form-121", nil, "sign-in", "xoauth2-form", "High Volume Email account"},
		{"hve-form-122", nil, "sign-in", "xoauth2-form", "High Volume Email account"},
		{"hve-form-123", nil, "sign-in", "xoauth2-form", "High Volume Email account"},
		{"hve-form-125", nil, "sign-in", "xoauth2-form", "High Volume Email account"},
		{"hve-form-126", nil, "sign-in", "xoauth2-form", "High Volume Email account"},
		{"connections-used-auth", nil, "sign-in", "too-many-connections", "mailbox of its own"},
	}
}

// messageRows are steps that show only with a message, or its envelope.
func messageRows() []row {
	scoped := func(_ *testing.T, s *site) { s.o.Way = diagnose.WayScoped }
	return []row{
		{"send-as-other-mailbox", func(_ *testing.T, s *site) {
			s.text = strings.Replace(s.text, "sign_in = \"sender\"", "sign_in = \"mailbox\"", 1)
		}, "message " + otherMailbox, "send-as-denied", "Add-RecipientPermission -Identity alerts@contoso.test -Trustee noreply@contoso.test -AccessRights SendAs"},
		{"send-as-mail-from", nil, "sender noreply@contoso.test", "send-as-denied", sendAsX},
		{"recipient-unknown", nil, "recipient", "recipient-refused", "it@contoso.test"},
		{"size-small", nil, "limits", "size", "delivery.max_size"},
		{"full-access-missing", nil, "message", "mailbox-permission", fullMail},
		{"full-access-wrong-id", nil, "message", "mailbox-permission", fullMail},
		{"full-access-propagating", nil, "message", "mailbox-permission", "2 h"},
		{"rbac-with-consent", scoped, "claims", "permission-not-needed", "remove SMTP.SendAsApp"},
		{"send-as-denied", nil, "message", "send-as-denied", sendAsX},
		{"send-as-denied-old", nil, "message", "send-as-denied", sendAsX},
		{"mailbox-full", nil, "message", "mailbox-full", "MessageCopyForSMTPClientSubmissionEnabled"},
		{"send-size", nil, "message", "message-over-mailbox-limit", "-MaxSendSize"},
		{"sender-restricted", nil, "message", "sender-restricted", unblock},
		{"quota-exceeded", nil, "message", "submission-quota", "24 h"},
		{"recipient-limit", nil, "message", "recipient-quota", "24 h"},
		{"connections-used", nil, "message", "too-many-connections", "mailbox of its own"},
		{"tenant-spam", nil, "message", "sender-banned", unblock},
		{"tenant-banned", nil, "message", "sender-banned", unblock},
		{"tenant-banned-again", nil, "message", "sender-banned", unblock},
		{"tenant-trial", nil, "message", "tenant-external-quota", "24 h"},
		{"throttled-mailbox-full", nil, "message", "mailbox-throttled", "MessageCopyForSMTPClientSubmissionEnabled"},
		{"throttled-send-as", nil, "message", "mailbox-throttled", "send as noreply@contoso.test"},
		{"throttled-licence", nil, "message", "mailbox-throttled", "licence"},
		{"throttled-many-recipients", nil, "message", "mailbox-throttled", "delivery.max_recipients"},
		{"throttled-recipients", nil, "message", "mailbox-throttled", "status=bounced"},
		{"throttled-recipients-seen", nil, "message", "mailbox-throttled", "status=bounced"},
		{"outside-quota", nil, "message", "outside-recipient-quota", "domain of your own"},
		{"licence-invalid", nil, "message", "licence-invalid", "licence"},
		{"limit-unknown", nil, "message", "unknown-limit", "Get-LimitsEnforcementStatus"},
		{"bdat-500", nil, "chunking", "chunking-refused", `smtp.chunking = "off"`},
		{"bdat-502", nil, "chunking", "chunking-refused", `smtp.chunking = "off"`},
		{"bdat-503", nil, "chunking", "chunking-refused", `smtp.chunking = "off"`},
		{"bdat-552", nil, "chunking", "chunking-refused", `smtp.chunking = "off"`},
		{"hve-mail-from", nil, "sender noreply@contoso.test", "hve-mail-from", "send as noreply@contoso.test"},
		{"hve-from", nil, "message", "hve-from", "send as noreply@contoso.test"},
		{"hve-outside", nil, "recipient", "hve-internal-only", "smtp.office365.com"},
		{"mail-starttls", nil, "sender noreply@contoso.test", "starttls-required", firewall},
		{"mail-not-signed-in", nil, "sender noreply@contoso.test", "not-authenticated", "AUTH"},
		{"tenant-threshold", nil, "message", "tenant-blocked", unblock},
		{"tenant-traffic", nil, "message", "address-blocked", "Microsoft support"},
		{"tenant-external", nil, "message", "tenant-external-quota", "24 h"},
		{"tenant-domain", nil, "message", "domain-not-registered", "Domains"},
		{"connections-used-old", nil, "message", "too-many-connections", "mailbox of its own"},
		{"rate-exceeded", nil, "message", "message-rate", "delivery.messages_per_minute"},
		{"dot-temporary", nil, "message", "other-temporary", statusURL},
	}
}

// noSteps are faults of the emulator that a doctor has nothing to say about, and why.
var noSteps = map[string]string{
	"token-loop":     "the doctor asks once",
	"token-short":    "tokens of ten minutes work",
	"token-large":    "tokens of 8 kB work",
	"header-size":    "a limit for messages with a large header",
	"recipients-few": "a limit for messages with several recipients",
	"dot-lost":       "passes by itself",
	"dot-broken":     "passes by itself",
	"session-lost":   "passes by itself",

	"bdat-silent":           "the message waits ten minutes for an answer",
	"8bit-damaged":          "the doctor's message is ASCII",
	"session-token-expired": "passes by itself",
	"recipient-rate":        "passes by itself",
	"recipient-busy":        "passes by itself",
	"header-field-size":     "a limit for messages with a large header",
	"from-several":          "the doctor's message has one From",
	"from-none":             "the doctor's message has a From",
	"bare-lf":               "the doctor's message has none",
}

// rightMode is what the configuration of who runs the tests should have: root's is also the service's.
func rightMode() string {
	if os.Geteuid() == 0 {
		return "0640"
	}
	return "0600"
}

// TestMatrixIsWhole holds the matrix against the emulator's list.
func TestMatrixIsWhole(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, w := range rows() {
		if have[w.undone] {
			t.Errorf("%s is there twice", w.undone)
		}
		have[w.undone] = true
	}
	for _, f := range emulator.Faults() {
		if _, left := noSteps[f.Name]; !have[f.Name] && !left {
			t.Errorf("the matrix has no row for %s: %s", f.Name, f.Summary)
		}
	}
}

// TestMatrix leaves each step undone, alone, and prints what the doctor makes of it.
func TestMatrix(t *testing.T) {
	t.Parallel()
	faults := map[string]bool{}
	for _, f := range emulator.Faults() {
		faults[f.Name] = true
	}
	var mu sync.Mutex
	right, printed := 0, map[string]string{}
	t.Run("rows", func(t *testing.T) {
		for _, w := range rows() {
			t.Run(w.undone, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.agent()
				if w.change != nil {
					w.change(t, s)
				} else if !faults[w.undone] {
					t.Fatal("neither a fault nor a change")
				}
				if faults[w.undone] {
					if err := s.SetFault(w.undone); err != nil {
						t.Fatal(err)
					}
				}
				rep := s.run()
				line, good := w.judge(t, rep)
				mu.Lock()
				defer mu.Unlock()
				printed[w.undone] = line
				if good {
					right++
				}
			})
		}
	})
	for _, w := range rows() {
		t.Log(printed[w.undone])
	}
	t.Logf("%d steps left undone, %d named rightly and alone: %d %%", len(rows()), right, 100*right/len(rows()))
}

// judge compares, and returns the row of the matrix.
func (w row) judge(t *testing.T, rep *Report) (string, bool) {
	t.Helper()
	bad := named(rep)
	switch {
	case len(bad) != 1:
		t.Errorf("%d checks are named, want one\n%s", len(bad), rep.Text())
		return fmt.Sprintf("%-28s WRONG: %d named", w.undone, len(bad)), false
	case rep.Exit == 0 && bad[0].Status == Failed, rep.Exit != 0 && bad[0].Status == Warning:
		t.Errorf("%s and exit code %d", bad[0].Status, rep.Exit)
	}
	c := bad[0]
	name := strings.TrimSpace(c.Name + " " + c.About)
	good := name == w.check && (w.key == "" || c.Key == w.key) && strings.Contains(c.Hint, w.remedy) && c.Hint != "" && rep.Next == c.Hint
	if !good {
		t.Errorf("want %s (%s) with %q\n%s", w.check, w.key, w.remedy, rep.Text())
	}
	return fmt.Sprintf("%-28s %-8s %-28s %-28s exit %2d  %s", w.undone, c.Status, name, c.Key, rep.Exit, shortHint(c.Hint)), good
}

func shortHint(s string) string {
	if len(s) > 90 {
		return s[:90] + "..."
	}
	return s
}

var errNoName = &net.DNSError{Err: "no such host", Name: "localhost", IsNotFound: true}

// lookup lets the n-th resolution fail: the login host's is the first, the relay's the second.
func lookup(fails func(*site, string) error, nth int) func(*testing.T, *site) {
	return func(_ *testing.T, s *site) {
		good, n := s.o.LookupNetIP, 0
		s.o.LookupNetIP = func(ctx context.Context, network, name string) ([]netip.Addr, error) {
			if n++; n == nth {
				return nil, fails(s, name)
			}
			return good(ctx, network, name)
		}
	}
}

func dial(fails func(*site, string) error) func(*testing.T, *site) {
	return func(_ *testing.T, s *site) {
		s.o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if err := fails(s, address); err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}
}

func blockPort(address, hostPort string) error {
	_, port, _ := net.SplitHostPort(hostPort)
	if _, p, _ := net.SplitHostPort(address); p == port {
		return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ETIMEDOUT}
	}
	return nil
}

// shorter is for faults that are silence.
func shorter(_ *testing.T, s *site) { s.o.Timeout = 1500 * time.Millisecond }

func without(text, key string) string {
	s := &site{text: text}
	s.without(key)
	return s.text
}

func withCertificate(t *testing.T, s *site) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.AddCertificate(string(cert))
	err = errors.Join(os.WriteFile(s.dir+"/cert.pem", cert, 0o600),
		os.WriteFile(s.dir+"/key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s.without("client_secret")
	s.without("secret_expires")
	s.text += "\n[credential]\ntype = \"certificate\"\ncertificate_file = \"" + s.dir + "/cert.pem\"\nkey_file = \"" + s.dir + "/key.pem\"\n"
}

func withFederation(t *testing.T, s *site) {
	issuer, err := s.AddFederation("https://cluster.example.org", "system:serviceaccount:mail:sendmail")
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Token("system:serviceaccount:mail:sendmail", emulator.AzureAudience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.dir+"/token", []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	s.without("client_secret")
	s.without("secret_expires")
	s.text += "\n[credential]\ntype = \"federated\"\ntoken_file = \"" + s.dir + "/token\"\n"
}

// volumeRows are steps of an account of High Volume Email.
func volumeRows() []row {
	account := func(change func(*emulator.State, *emulator.Mailbox)) func(*testing.T, *site) {
		return func(_ *testing.T, s *site) {
			s.Update(func(st *emulator.State) { change(st, st.Mailbox(s.Mailbox)) })
		}
	}
	return []row{
		{"hve-role-missing", account(func(st *emulator.State, _ *emulator.Mailbox) { st.App(appID).Roles = nil }),
			"claims", "hve-permission", "Application permissions > Mail.Send"},
		{"hve-role-of-mailboxes", account(func(st *emulator.State, _ *emulator.Mailbox) {
			st.App(appID).Roles = []string{"SMTP.SendAsApp"}
		}), "claims", "hve-permission", "Application permissions > Mail.Send"},
		{"hve-not-on-the-list", account(func(_ *emulator.State, m *emulator.Mailbox) { m.Volume.Apps = nil }),
			"sign-in", "hve-app-access", "Add-HVEAppAccess -Identity noreply@contoso.test -AppIds " + oid},
		{"hve-client-id-on-the-list",
			account(func(_ *emulator.State, m *emulator.Mailbox) { m.Volume.Apps = []string{appID} }),
			"sign-in", "hve-app-access", "-AppIds " + oid},
		{"hve-ordinary-mailbox", account(func(_ *emulator.State, m *emulator.Mailbox) { m.Volume = nil }),
			"sign-in", "hve-not-an-account", "High Volume Email account"},
		{"hve-account-missing", func(_ *testing.T, s *site) { s.replace("mailbox", "norepyl@contoso.test") },
			"sign-in", "user-not-valid", "correct mailbox"},
		{"hve-recipient-outside", func(_ *testing.T, s *site) { s.o.SendTo = "someone@example.org" },
			"recipient", "hve-internal-only", "smtp.office365.com"},
		{"hve-sign-in-refused", func(t *testing.T, s *site) {
			if err := s.Script(emulator.Rule{Stage: "auth",
				Reply: "535 5.7.3 Authentication unsuccessful"}); err != nil {
				t.Fatal(err)
			}
		}, "sign-in", "hve-sign-in", "Get-HVEAccountBillingPolicy -Identity noreply@contoso.test"},
	}
}

// newVolumeSite is a machine that is set up for an account of High Volume Email in every respect.
func newVolumeSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.Update(emulator.HighVolume)
	s.replace("kind", "hve")
	s.text = strings.Replace(s.text, "policy = \"keep\"\nsign_in = \"sender\"\nsend_as = [\""+otherMailbox+"\"]\n", "",
		1)
	return s
}

// TestVolumeMatrix leaves each step of High Volume Email undone, alone; and none.
func TestVolumeMatrix(t *testing.T) {
	t.Parallel()
	for _, w := range volumeRows() {
		t.Run(w.undone, func(t *testing.T) {
			t.Parallel()
			s := newVolumeSite(t)
			s.agent()
			w.change(t, s)
			line, _ := w.judge(t, s.run())
			t.Log(line)
		})
	}
	t.Run("nothing undone", func(t *testing.T) {
		t.Parallel()
		s := newVolumeSite(t)
		s.agent()
		rep := s.run()
		if len(named(rep)) > 0 || rep.Exit != 0 {
			t.Error(rep.Text())
		}
		for _, want := range []string{"role Mail.Send", "50 recipients a message", "any number of messages a minute"} {
			if !strings.Contains(rep.Text(), want) {
				t.Errorf("%q is not in\n%s", want, rep.Text())
			}
		}
	})
}

// TestPool: each mailbox of the pool is signed in to.
func TestPool(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.agent()
	s.text = "mailboxes = [\"" + otherMailbox + "\", \"nobody@contoso.test\"]\n" + s.text
	line, _ := row{undone: "pool", check: "pool nobody@contoso.test", key: "not-a-mailbox",
		remedy: "Get-EXOMailbox -Identity nobody@contoso.test"}.judge(t, s.run())
	t.Log(line)
}
