package durable

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// TempPrefix starts the names of temporary files: a crash may leave one behind,
// and whoever owns the directory may remove it when it is old.
const TempPrefix = ".tmp-"

// Replace writes data to path with mode perm, whatever the umask: after a nil
// error the new content survives a power loss; after any other the old content is
// whole, or the new content is whole but may not survive a power loss (the fsync of the
// directory failed). A symbolic link at path is itself replaced.
func Replace(path string, data []byte, perm fs.FileMode) error {
	return System.Replace(path, data, perm)
}

// ReplaceNoSync is Replace without any fsync, for what can be made again, such as a
// cache: readers see the old content or the new, but a power loss may leave a
// damaged file.
func ReplaceNoSync(path string, data []byte, perm fs.FileMode) error {
	return System.ReplaceNoSync(path, data, perm)
}

// Replaceable returns an error if there is something else than a regular file at path, such as /dev/null, or a link
// to such: Replace would put a file in its place. It is for paths that an administrator chose.
func Replaceable(path string) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return &fs.PathError{Op: "replace", Path: path, Err: errors.New("it is not a regular file; name another path")}
	}
	return nil
}

// Replace is the package's Replace over o.
func (o *Ops) Replace(path string, data []byte, perm fs.FileMode) error {
	if err := o.replace(path, data, perm, true); err != nil {
		return err
	}
	return o.SyncDir(filepath.Dir(path))
}

// ReplaceNoSync is the package's ReplaceNoSync over o.
func (o *Ops) ReplaceNoSync(path string, data []byte, perm fs.FileMode) error {
	return o.replace(path, data, perm, false)
}

func (o *Ops) replace(path string, data []byte, perm fs.FileMode, sync bool) error {
	temp, err := o.writeTemp(path, data, perm, sync)
	if err != nil {
		return err
	}
	if err := o.Rename(temp, path); err != nil {
		_ = o.Unlink(temp)
		return err
	}
	return nil
}

// writeTemp writes a new file in the directory of path and returns its name; on
// an error nothing is left.
func (o *Ops) writeTemp(path string, data []byte, perm fs.FileMode, sync bool) (temp string, err error) {
	temp = tempName(path)
	f, err := o.Open(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	err = o.Chmod(f, perm)
	if err == nil && len(data) > 0 {
		_, err = o.Write(f, data)
	}
	if err == nil && sync {
		err = o.Sync(f)
	}
	// Some file systems report a full disk or quota only here.
	if closeErr := o.Close(f); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = o.Unlink(temp)
		return "", err
	}
	return temp, nil
}

// tempName needs no secrecy: O_EXCL refuses a name that is taken. It ends with the file's own name, for Sweep.
func tempName(path string) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())
	base := filepath.Base(path)
	return filepath.Join(filepath.Dir(path), TempPrefix+hex.EncodeToString(b[:])+"-"+base[:min(len(base), 200)])
}

// Sweep removes what calls of Replace that were killed left for path, and for files whose names begin as its does, when
// it is older than an hour. It is for files in a directory of others, such as /etc.
func Sweep(path string, now time.Time) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	const random = len(TempPrefix) + 16
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || !strings.HasPrefix(name, TempPrefix) || len(name) < random ||
			!strings.HasPrefix(name[random:], "-"+filepath.Base(path)) {
			continue
		}
		if fi, err := e.Info(); err == nil && now.Sub(fi.ModTime()) > time.Hour {
			_ = System.Unlink(filepath.Join(filepath.Dir(path), name))
		}
	}
	return nil
}

// Remove removes a file for good: the directory is synced.
func (o *Ops) Remove(path string) error {
	if err := o.Unlink(path); err != nil {
		return err
	}
	return o.SyncDir(filepath.Dir(path))
}

// SyncDir makes creations, renames and removals in a directory survive a power loss.
func (o *Ops) SyncDir(path string) error {
	d, err := o.Open(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = o.SyncOpenDir(d)
	if closeErr := o.Close(d); err == nil {
		err = closeErr
	}
	return err
}

// SyncOpenDir is SyncDir for a directory that is open already. File systems that
// know no fsync of a directory say so with EINVAL or ENOTSUP: nothing more can be had there.
func (o *Ops) SyncOpenDir(d *os.File) error {
	err := o.Sync(d)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
