package durable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReplaceOwned gives the file to its owner, and leaves nothing when that can't be.
func TestReplaceOwned(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		gid = 4711
	}
	if err := ReplaceOwned(path, []byte("new"), 0o640, uid, gid); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if st := fi.Sys().(*syscall.Stat_t); string(text) != "new" || fi.Mode().Perm() != 0o640 || int(st.Gid) != gid {
		t.Errorf("%q %v, group %d", text, fi.Mode(), st.Gid)
	}
	if err := ReplaceOwned(filepath.Join(path, "b"), nil, 0o640, uid, gid); err == nil {
		t.Error("a file is no directory")
	}
	if uid != 0 {
		if err := ReplaceOwned(path, []byte("stolen"), 0o640, 0, 0); err == nil {
			t.Error("only root can give files away")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}
