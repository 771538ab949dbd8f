package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A jail is a peer with a root of its own: what bench/peers.sh has unpacked, with /etc, /var
// and /dev from the run's directory over it, so that the unpacked files stay as they are.
type jail struct {
	root string // as the peer's programs are started: ROOT/./PROGRAM
	dir  string // etc, var and dev
}

// Numbers for the owners of a jail's files, far from those that a distribution gives.
const (
	jailUser  = 64801
	jailGroup = 64802 // a second group: postdrop
)

// jail prepares the root of a peer that runs as user, nil if there is none or it can't be.
func (b *bench) jail(name, user string) (*jail, error) {
	root := filepath.Join(b.peers, name)
	if _, err := os.Stat(filepath.Join(root, "usr")); err != nil || !isolated() {
		return nil, nil
	}
	dir, err := b.folder("jail-" + name)
	if err != nil {
		return nil, err
	}
	j := &jail{root: root, dir: dir}
	err = errors.Join(
		os.Chmod(dir, 0o755),
		j.mkdir("etc", 0, 0, 0o755), j.mkdir("var", 0, 0, 0o755), j.mkdir("dev", 0, 0, 0o755),
		j.mkdir("tmp", 0, 0, 0o1777),
		j.write("etc/passwd", 0o644,
			"root:x:0:0::/:/bin/sh\n%[1]s:x:%[2]d:%[2]d::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n", user,
			jailUser),
		j.write("etc/group", 0o644, "root:x:0:\n%s:x:%d:\npostdrop:x:%d:\nnogroup:x:65534:\n", user, jailUser,
			jailGroup),
		j.write("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files\nservices: files\n"),
		j.write("etc/services", 0o644, "smtp 25/tcp\n"),
		j.write("etc/hosts", 0o644, "127.0.0.1 %s\n", b.emulator.SMTPHost),
		j.write("etc/resolv.conf", 0o644, "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n"),
	)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"etc", "var", "dev", "tmp"} {
		target := filepath.Join(root, d)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return nil, err
		}
		if d == "dev" { // the run's directory may lie where devices don't work
			err = mount("tmpfs", target, "tmpfs", syscall.MS_NOSUID)
		} else {
			err = over(filepath.Join(dir, d), target)
		}
		if err != nil {
			return nil, err
		}
		b.undo = append(b.undo, func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	}
	for name, minor := range map[string]int{"null": 3, "zero": 5, "random": 8, "urandom": 9} {
		path := filepath.Join(root, "dev", name)
		if err := errors.Join(syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|minor),
			os.Chmod(path, 0o666)); err != nil {
			return nil, &os.PathError{Op: "mknod", Path: path, Err: err}
		}
	}
	ca, err := os.ReadFile(b.caFile)
	if err != nil {
		return nil, err
	}
	return j, os.WriteFile(filepath.Join(dir, "etc/ca.pem"), ca, 0o644)
}

// program is how start is told to run one of the jail's programs.
func (j *jail) program(path string) string { return j.root + "/." + path }

// mkdir makes a directory below the jail's own.
func (j *jail) mkdir(path string, uid, gid int, mode uint32) error {
	path = filepath.Join(j.dir, path)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return errors.Join(os.Chown(path, uid, gid), syscall.Chmod(path, mode))
}

func (j *jail) write(path string, mode os.FileMode, format string, args ...any) error {
	path = filepath.Join(j.dir, path)
	return errors.Join(os.WriteFile(path, fmt.Appendf(nil, format, args...), mode), os.Chmod(path, mode))
}
