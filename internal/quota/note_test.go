package quota

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNote(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	dir := filepath.Join(t.TempDir(), "cache")
	one, two := New(testDir(dir, nil), clock), New(testDir(dir, nil), clock)
	if _, _, ok := one.Note("bdat a 587"); ok {
		t.Error("a note without a directory")
	}
	one.SetNote("bdat A 587", "500 what?\nnext\x1b[2J", now.Add(time.Hour))
	text, until, ok := two.Note("bdat a 587")
	if !ok || strings.ContainsAny(text, "\n\x1b") || !strings.HasPrefix(text, "500 what?") ||
		until.Unix() != now.Add(time.Hour).Unix() {
		t.Errorf("%q %v %v", text, until, ok)
	}
	if _, _, ok := two.Note("bdat b 587"); ok {
		t.Error("another name has the note, too")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "note-*"))
	if st, err := os.Stat(files[0]); err != nil || len(files) != 1 || st.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v, %v", files, st, err)
	}
	two.DropNote("bdat a 587")
	if _, _, ok := one.Note("bdat a 587"); ok {
		t.Error("it was dropped")
	}
	one.SetNote("bdat a 587", "x", now.Add(time.Hour))
	now = now.Add(time.Hour)
	if _, _, ok := two.Note("bdat a 587"); ok {
		t.Error("its time is over")
	}
}

// TestNoteWithoutDirectory: the process that made it has it.
func TestNoteWithoutDirectory(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", "/dev/null/cache"} {
		l := New(testDir(dir, nil), nil)
		l.SetNote("x", "why", time.Now().Add(time.Hour))
		if text, _, ok := l.Note("x"); !ok || text != "why" {
			t.Errorf("%q: %q %v", dir, text, ok)
		}
		l.DropNote("x")
		if _, _, ok := l.Note("x"); ok {
			t.Errorf("%q: it was dropped", dir)
		}
	}
}

func TestDamagedNote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := New(testDir(dir, nil), nil)
	for _, data := range []string{"", "note 1\n", "note 1\n99999999999\n", "note 1\nx\ny\n", "note 2\n99999999999\ny\n",
		"note 1\n99999999999\na\nb\n", strings.Repeat("x", maxNote+1)} {
		if err := os.WriteFile(l.path("note", "x", "note"), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, _, ok := l.Note("x"); ok {
			t.Errorf("%.20q: %q", data, text)
		}
	}
}
