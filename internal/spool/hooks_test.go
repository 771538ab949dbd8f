package spool

import (
	"io/fs"
	"os"

	"o365-sendmail/internal/durable"
)

// call is one system call that changes something.
type call struct {
	op   string
	path string // of the file, or the new name
	f    *os.File
	data []byte // of a write
	do   func() error
}

// hooked returns the real operations with hook around each.
func hooked(hook func(call) error) *durable.Ops {
	sys := durable.System
	byFile := func(op string, real func(*os.File) error) func(*os.File) error {
		return func(f *os.File) error {
			return hook(call{op: op, path: f.Name(), f: f, do: func() error { return real(f) }})
		}
	}
	byPaths := func(op string, real func(string, string) error) func(string, string) error {
		return func(from, to string) error {
			return hook(call{op: op, path: to, do: func() error { return real(from, to) }})
		}
	}
	return &durable.Ops{
		Open: func(path string, flag int, perm fs.FileMode) (f *os.File, err error) {
			err = hook(call{op: "open", path: path,
				do: func() error { f, err = sys.Open(path, flag, perm); return err }})
			if err != nil && f != nil {
				_ = f.Close()
				f = nil
			}
			return f, err
		},
		Chmod: func(f *os.File, perm fs.FileMode) error {
			return hook(call{op: "chmod", path: f.Name(), f: f, do: func() error { return sys.Chmod(f, perm) }})
		},
		Write: func(f *os.File, p []byte) (n int, err error) {
			err = hook(call{op: "write", path: f.Name(), f: f, data: p,
				do: func() error { n, err = sys.Write(f, p); return err }})
			return n, err
		},
		WriteAt: func(f *os.File, p []byte, off int64) (n int, err error) {
			err = hook(call{op: "pwrite", path: f.Name(), f: f, data: p,
				do: func() error { n, err = sys.WriteAt(f, p, off); return err }})
			return n, err
		},
		Sync:     byFile("fsync", sys.Sync),
		Datasync: byFile("fdatasync", sys.Datasync),
		Close:    byFile("close", sys.Close),
		Mkdir: func(path string, perm fs.FileMode) error {
			return hook(call{op: "mkdir", path: path, do: func() error { return sys.Mkdir(path, perm) }})
		},
		Link:   byPaths("link", sys.Link),
		Rename: byPaths("rename", sys.Rename),
		Unlink: func(path string) error {
			return hook(call{op: "unlink", path: path, do: func() error { return sys.Unlink(path) }})
		},
		Flock: func(f *os.File, how int) error {
			return hook(call{op: "flock", path: f.Name(), f: f, do: func() error { return sys.Flock(f, how) }})
		},
	}
}
