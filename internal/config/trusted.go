package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrUntrusted is in the error of a Trusted loader for a file that it takes nothing from.
var ErrUntrusted = errors.New("not root's or the service user's alone")

// ServiceUID returns the user that the agent of a package installation runs as: the one named
// ServiceUser. It reports false when this machine has none.
func ServiceUID() (uid int, ok bool) { return serviceUID() }

// procMagic is the type of the file systems whose files processes make: /proc/PID/cmdline of a
// set-user-ID program is root's, and holds what its caller wrote (statfs(2)).
const procMagic = 0x9fa0

// readTrusted is read for a file that somebody else named: a regular file of root's or the service
// user's that nobody else can write, in directories of the same kind up to the root. Whoever
// names a symbolic link names what it leads to.
func (j judge) readTrusted(path string) ([]byte, *syscall.Stat_t, *Error) {
	fail := func(reason string) ([]byte, *syscall.Stat_t, *Error) {
		return nil, nil, &Error{File: fmt.Sprintf("%.256s", path), Problem: reason, Err: ErrUntrusted}
	}
	if strings.IndexByte(path, 0) >= 0 {
		return fail("the file's name holds a NUL")
	}
	full, err := filepath.Abs(path)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return fail("there is no such file, or this user may not see it")
	}
	if why := j.strangeAbove(full); why != "" {
		return fail(why)
	}
	var system syscall.Statfs_t
	if syscall.Statfs(full, &system) != nil || system.Type == procMagic {
		return fail("it is not a file on a disk")
	}
	data, st, fault := read(full, syscall.O_NOFOLLOW)
	switch {
	case fault != nil && Passing(fault):
		return nil, nil, fault
	case fault != nil:
		return fail(fault.Problem)
	}
	if why := j.strange(st); why != "" {
		return fail("it " + why)
	}
	return data, st, nil
}

// strangeAbove says which of a file's directories is not only root's and the service user's. It goes from
// the root down: once a directory is known to be theirs, its entries stay what they are.
func (j judge) strangeAbove(full string) string {
	for i := 0; i < len(full); i++ {
		if full[i] != '/' {
			continue
		}
		var st syscall.Stat_t
		dir := full[:max(i, 1)]
		if err := retry(func() error { return syscall.Lstat(dir, &st) }); err != nil ||
			st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			return dir + " is not a directory that this user may see"
		}
		if why := j.strange(&st); why != "" {
			return "its directory " + dir + " " + why
		}
	}
	return ""
}

// strange says why a file or directory is not only root's and the service user's; "" when it is.
// Where there is an access control list, the group's bits bound all that it gives.
func (j judge) strange(st *syscall.Stat_t) string {
	switch {
	case !j.installed(st.Uid):
		return "belongs to user " + userName(st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Sprintf("has mode %04o, so that other users can write it", st.Mode&0o7777)
	}
	return ""
}
