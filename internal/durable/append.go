package durable

import (
	"errors"
	"os"
	"syscall"
)

// OpenAppend opens or creates a file that lines are added to, with mode 0600, and returns its size in bytes. It refuses
// a link, or a file of another user's, by which that user could choose what is written to, or read what is written.
func OpenAppend(path string) (f *os.File, size int64, err error) {
	f, err = System.Open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil {
		st, ok := fi.Sys().(*syscall.Stat_t)
		switch {
		case !fi.Mode().IsRegular():
			err = errors.New("not a regular file")
		case ok && st.Nlink > 1:
			err = errors.New("it has another name, too (a hard link)")
		case ok && !ours(st):
			err = errors.New("another user's file")
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// ours reports whether a file is root's or this user's. Root also goes on with the service user's.
func ours(st *syscall.Stat_t) bool {
	euid := os.Geteuid()
	return st.Uid == 0 || int(st.Uid) == euid || euid == 0 && st.Mode&0o077 == 0
}
