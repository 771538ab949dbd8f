package assemble

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		fifo:                         "not a regular file",
		dir:                          "not a regular file",
		text:                         "no certificate in PEM form",
		filepath.Join(dir, "absent"): "can't be read",
	} {
		if _, err := Roots(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
