package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSurvey finds what is in testdata/survey, and shows no password.
func TestSurvey(t *testing.T) {
	t.Parallel()
	const file = "testdata/survey.want"
	senders, unread, err := Survey("testdata/survey")
	if err != nil || len(unread) > 0 {
		t.Fatal(unread, err)
	}
	var b strings.Builder
	for _, s := range senders {
		fmt.Fprintf(&b, "%s: %s:%d: %s: %s\n", s.Kind, s.File, s.Line, s.Name, s.Note)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v\n%s", err, b.String())
	}
	if strings.Contains(b.String(), "Hunter2") {
		t.Error("a password shows")
	}
}

// TestSurveyForeign: what is no file is named, nobody is waited for, and the rest is found.
func TestSurveyForeign(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, d := range []string{"etc/cron.d", "etc/monit"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "etc/cron.d/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/crontab"), []byte("MAILTO=a\x1b[2J\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("monitrc", filepath.Join(root, "etc/monit/monitrc")); err != nil {
		t.Fatal(err)
	}
	senders, unread, err := Survey(root)
	if err != nil || len(unread) != 2 || len(senders) != 1 || strings.ContainsAny(senders[0].Note, "\x1b") {
		t.Errorf("%q %+v %v", unread, senders, err)
	}
	if _, _, err := Survey(filepath.Join(root, "none")); err == nil {
		t.Error("a folder that is not there has senders")
	}
}

// TestSurveyPasswords: no flag of another program is shown, since its next word may be a password.
func TestSurveyPasswords(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for file, text := range map[string]string{
		"etc/nagios4/objects/commands.cfg": "command_line check_mysql -u nag -p Hunter2\n" +
			"command_line /usr/bin/sendEmail -xu u@contoso.com -xp Hunter2 -t x\n",
		"etc/icinga2/scripts/mail-host.sh": "mail -S smtp-auth-password=Hunter2 x\n",
		"etc/mail.rc":                      "set sendmail=\"/usr/bin/msmtp --password Hunter2\"\nset mta=smtp://u:Hunter2@h\n",
		"root/.muttrc":                     "set sendmail=\"msmtp --password=Hunter2\"\n",
		"etc/php/8.2/cli/php.ini":          "sendmail_path = /usr/bin/sendEmail -xu u -xp Hunter2\n",
		"etc/aliases":                      "shop: \"|/usr/bin/deliver -w Hunter2\"\n",
		"home/alice/.forward":              "|/usr/bin/curl smtp://u:Hunter2@h\n",
		"home/alice/.msmtprc":              "password Hunter2\n",
		"etc/passwd":                       "alice:x:1000:1000::/home/alice:/bin/sh\n",
	} {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	senders, unread, err := Survey(root)
	all := fmt.Sprintf("%+v", senders)
	if err != nil || len(unread) > 0 || strings.Contains(all, "Hunter2") || strings.Contains(all, "check_mysql") {
		t.Error(unread, all, err)
	}
	for _, want := range []string{"/usr/bin/sendEmail ...", "msmtp ...", "deliver ...", "set mta ...", "/home/alice/.msmtprc"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in %s", want, all)
		}
	}
}
