package direct

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// DropRootFor is DropRoot for a process that uses the cache: one that is not there yet becomes the
// service user's, as root could make it and that user can't.
func (p *Process) DropRootFor(cacheDir string) error {
	u, ok := p.serviceUser()
	if !ok {
		return nil
	}
	makeFor(cacheDir, u.UID, u.GID)
	return become(u, u.UID, u.GID)
}

// makeFor makes a missing directory for a user, where nobody but root can be in the way. Whoever
// uses it tells when it can't be used.
func makeFor(dir string, uid, gid int) {
	if parent, err := os.Lstat(filepath.Dir(dir)); err == nil && rootsOwn(parent) && os.Mkdir(dir, 0o700) == nil {
		_ = os.Lchown(dir, uid, gid)
	}
}

// rootsOwn reports whether only root can put files into a directory.
func rootsOwn(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	return ok && dir.IsDir() && st.Uid == 0 && dir.Mode().Perm()&0o022 == 0
}

// DropRoot makes root the service user before any network I/O, where that user exists.
func (p *Process) DropRoot() error {
	u, ok := p.serviceUser()
	if !ok {
		return nil
	}
	return become(u, u.UID, u.GID)
}

// LendRoot gives up root's rights for the time of f, where the service user exists. They come back after it: what
// follows replaces a file of root's.
func (p *Process) LendRoot(f func() error) error {
	u, ok := p.serviceUser()
	if !ok {
		return f()
	}
	groups, err := syscall.Getgroups()
	if err != nil {
		return sysexits.With(sysexits.OSErr, err)
	}
	if err = become(u, 0, 0); err == nil {
		err = f()
	}
	return errors.Join(err, syscall.Setresuid(0, 0, 0), syscall.Setresgid(0, 0, 0), syscall.Setgroups(groups))
}

// serviceUser is whom a process of root's becomes; ok is false where it stays who it is.
func (p *Process) serviceUser() (u host.User, ok bool) {
	if p.UID != 0 || os.Geteuid() != 0 {
		return u, false
	}
	u, ok = host.UserByName(config.ServiceUser)
	return u, ok && u.UID != 0
}

// become takes a user's rights and groups. The saved ids say what can be taken back.
func become(u host.User, savedUID, savedGID int) error {
	for _, step := range [...]func() error{
		func() error { return syscall.Setgroups([]int{u.GID}) },
		func() error { return syscall.Setresgid(u.GID, u.GID, savedGID) },
		func() error { return syscall.Setresuid(u.UID, u.UID, savedUID) },
	} {
		if err := step(); err != nil {
			return sysexits.With(sysexits.OSErr, fmt.Errorf("root can't become the user %s: %w", config.ServiceUser,
				err))
		}
	}
	return nil
}
