package setup

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMakeCertificateForService gives the key to the service's group, and the certificate to all.
func TestMakeCertificateForService(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to a group")
	}
	const gid = 4711
	f := &File{Path: filepath.Join(t.TempDir(), "a.toml"), Owner: Owner{GID: gid}, Now: time.Now}
	a := &Answers{Type: TypeCertificate, CertDays: "90"}
	if !f.PlanCertificate(a) {
		t.Fatal("none is planned")
	}
	made, err := f.MakeCertificate(a, strings.Repeat("long", 40))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{made.KeyFile: 0o640, made.File: 0o644} {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, fi, err)
		}
		if st := fi.Sys().(*syscall.Stat_t); path == made.KeyFile && st.Gid != gid {
			t.Errorf("%s belongs to group %d", path, st.Gid)
		}
	}
	if err := made.Remove(); err != nil || exists(made.KeyFile) || exists(made.File) {
		t.Errorf("not removed: %v", err)
	}
}

// TestPlanCertificate names no file that exists.
func TestPlanCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := &File{Path: filepath.Join(dir, "a.toml"), Owner: Owner{GID: -1}}
	f.Now = func() time.Time { return time.Unix(0, 0) }
	for _, tt := range []struct {
		exists string
		want   string
	}{{"b.key", "a.crt"}, {"a.key", "a-19700101T000000Z.crt"}} {
		if err := os.WriteFile(filepath.Join(dir, tt.exists), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		a := &Answers{Type: TypeCertificate}
		if !f.PlanCertificate(a) || a.CertFile != filepath.Join(dir, tt.want) {
			t.Errorf("%s: %+v", tt.exists, a)
		}
	}
	for _, a := range []*Answers{
		{Type: TypeSecret}, {Type: TypeCertificate, CertFile: "/x"}, {Type: TypeCertificate, PFXFile: "/x"},
	} {
		if f.PlanCertificate(a) {
			t.Errorf("planned for %+v", a)
		}
	}
}
