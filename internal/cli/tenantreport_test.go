package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/sysexits"
)

// TestDoctorReadsTenantReport: the report of the tenant's script, from a file or standard input, gives a refused
// sign-in one cause.
func TestDoctorReadsTenantReport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.SetFault("sp-missing"); err != nil {
		t.Fatal(err)
	}
	report := "Changes take up to 2 hours.\n-----BEGIN O365-SENDMAIL TENANT REPORT-----\nreport: 1\nmade: " +
		time.Now().UTC().Format(time.RFC3339) + "\nmode: done\ntenant: " + s.Tenant + "\nclient_id: " + s.ClientID +
		"\nway: api\nmailbox: " + s.Mailbox + "\nentra_object_id: " + emulator.DefaultObjectID +
		"\nexchange_object_id: missing\nconsent: yes\nfull_access: yes\n-----END O365-SENDMAIL TENANT REPORT-----\n"
	file := filepath.Join(s.dir, "report.txt")
	if err := os.WriteFile(file, []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		stdin, file string
		code        int
		want        string
	}{
		{"", file, sysexits.Config, "Exchange has no record of the application"},
		{report, "-", sysexits.Config, "Exchange has no record of the application"},
		{"", "/nonexistent", sysexits.NoInput, "--tenant-report: open /nonexistent"},
		{"hello", "-", sysexits.DataErr, "--tenant-report: there is no report in it"},
	} {
		r := s.verb(tt.stdin, "doctor", "--tenant-report", tt.file)
		s.silent(t, r)
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) {
			t.Errorf("%s: exit %d\n%s%s", tt.file, r.code, r.stdout, r.stderr)
		}
	}
}
