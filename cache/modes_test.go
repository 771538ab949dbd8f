package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ordinary is an ordinary user: root can open and write whatever the mode says.
func ordinary() (uid int, as *syscall.Credential) {
	if uid := os.Geteuid(); uid != 0 {
		return uid, nil
	}
	return 65534, &syscall.Credential{Uid: 65534, Gid: 65534}
}

// reachable is a temporary directory that an ordinary user can get to.
func reachable(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	if err := os.Chmod(filepath.Dir(base), 0o711); err != nil {
		t.Fatal(err)
	}
	return base
}

func TestUnwritableDirectory(t *testing.T) {
	t.Parallel()
	uid, as := ordinary()
	for _, c := range []struct {
		name string
		mode os.FileMode
		sub  string
	}{
		{"read-only", 0o500, ""},
		{"not even to be entered", 0, ""},
		{"missing, and can't be made", 0o500, "a/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := filepath.Join(reachable(t), "cache")
			if err := errors.Join(os.Mkdir(base, 0o700), os.Chown(base, uid, -1), os.Chmod(base, c.mode)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(base, 0o700) })
			e := newEndpoint(t, nil)
			dir := filepath.Join(base, c.sub)
			o, ok := spawn(t, child{Role: "thrice", Dir: dir, URL: e.URL}, nil, as).outcome()
			if !ok || o.Token != "token-1" || o.Err != "" || e.count() != 1 {
				t.Errorf("%+v, %v, %d requests", o, ok, e.count())
			}
			advice := "the directory must be writable, not only the file"
			if c.sub != "" {
				advice = fmt.Sprintf("let user id %d write there", uid)
			}
			if len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], strconv.Quote(dir)) ||
				!strings.Contains(o.Warnings[0], "permission denied; "+advice) {
				t.Errorf("warnings: %q", o.Warnings)
			}
		})
	}
}

func TestModesWhateverTheUmask(t *testing.T) {
	uid, as := ordinary()
	for _, umask := range []int{0, 0o777, 0o022} {
		t.Run(fmt.Sprintf("%04o", umask), func(t *testing.T) {
			t.Parallel()
			base := reachable(t)
			if err := os.Chown(base, uid, -1); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(base, "a", "b")
			e := newEndpoint(t, nil)
			var all []*process
			for range 20 {
				all = append(all, spawn(t, child{Role: "token", Dir: dir, URL: e.URL, Umask: umask}, nil, as))
			}
			expect(t, all, "token-1")
			if got := e.count(); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
			for _, d := range []string{filepath.Dir(dir), dir} {
				if mode := modeOf(t, d); mode != 0o700 {
					t.Errorf("%s has mode %04o", d, mode)
				}
			}
			names, err := os.ReadDir(dir)
			if err != nil || len(names) < 2 {
				t.Fatal(names, err)
			}
			for _, n := range names {
				if mode := modeOf(t, filepath.Join(dir, n.Name())); mode != 0o600 {
					t.Errorf("%s has mode %04o", n.Name(), mode)
				}
			}
		})
	}
}
