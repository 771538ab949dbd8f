package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ReplaceOwned is Replace for a file that is another user's or group's: it has its owner and mode before it has its
// name, and at no time can others read it.
func ReplaceOwned(path string, data []byte, perm fs.FileMode, uid, gid int) error {
	temp, err := System.writeTemp(path, data, 0o600, false)
	if err != nil {
		return err
	}
	f, err := System.Open(temp, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err == nil {
		err = errors.Join(f.Chown(uid, gid), System.Chmod(f, perm), System.Sync(f))
		err = errors.Join(err, System.Close(f))
	}
	if err == nil {
		err = System.Rename(temp, path)
	}
	if err != nil {
		_ = System.Unlink(temp)
		return err
	}
	return System.SyncDir(filepath.Dir(path))
}
