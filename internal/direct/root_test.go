package direct

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// noUser is a user id that nobody has.
const noUser = 54321

// TestMakeFor: root makes the service user's cache where only root could have, and nothing else.
func TestMakeFor(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := t.TempDir()
	good, open := filepath.Join(dir, "good"), filepath.Join(dir, "open")
	for path, mode := range map[string]os.FileMode{good: 0o755, open: 0o777} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		makeFor(filepath.Join(path, "cache"), noUser, noUser)
		makeFor(filepath.Join(path, "a", "cache"), noUser, noUser)
	}
	st, err := os.Lstat(filepath.Join(good, "cache"))
	if err != nil || st.Mode() != os.ModeDir|0o700 || st.Sys().(*syscall.Stat_t).Uid != noUser {
		t.Errorf("%v, %v", st, err)
	}
	for _, path := range []string{filepath.Join(open, "cache"), filepath.Join(good, "a"), filepath.Join(open, "a")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	makeFor(good, noUser, noUser) // it is there, and stays whose it is
	if st, err := os.Lstat(good); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("%v, %v", st, err)
	}
}
