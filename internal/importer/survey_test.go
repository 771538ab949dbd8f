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
