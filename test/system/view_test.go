//go:build system

package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// A view is the private file system of the tests: this machine's own, with
// copies where daemons and tests write.
type view struct {
	work string // everything below it belongs to the tests
}

// mount lays the view over this mount namespace. program takes the place of
// /usr/sbin/sendmail.
func (v *view) mount(program string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc for the process namespace: %w", err)
	}
	etc := filepath.Join(v.work, "etc")
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copying /etc: %w: %s", err, out)
	}
	fresh := []struct {
		path string
		mode os.FileMode
	}{
		{"/run", 0o755}, {"/var/spool/cron", 0o755}, {"/var/spool/postfix", 0o755}, {"/var/lib/postfix", 0o755},
		{"/var/mail", 0o2775},
	}
	for _, f := range fresh {
		dir := filepath.Join(v.work, "view", f.path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, f.mode); err != nil {
			return err
		}
		if err := bind(dir, f.path); err != nil {
			return err
		}
	}
	if err := addUsers(etc); err != nil {
		return err
	}
	// As Debian's installer does it; fail2ban's action ends where this machine's name has no address.
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := appendTo(filepath.Join(etc, "hosts"), "127.0.1.1 "+name+"\n"); err != nil {
		return err
	}
	// Which of them is "mail" depends on what else is installed; Debian's default is this one.
	for _, name := range []string{"mail", "mailx"} {
		link := filepath.Join(etc, "alternatives", name)
		if err := os.Remove(link); err != nil {
			return err
		}
		if err := os.Symlink("/usr/bin/bsd-mailx", link); err != nil {
			return err
		}
	}
	if err := bind(etc, "/etc"); err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("the program under test is missing (make build makes it): %w", err)
	}
	return bind(program, "/usr/sbin/sendmail")
}

// The view's own users.
const (
	// Not the package's own: as that one's name is known, root would change to it.
	agentUser = "mailagent"
	worker    = "worker" // may do what a person may: at.deny keeps daemons from it
	// A group that the user nobody is in by /etc/group.
	tokenGroup = "mail-tokens"
)

func addUsers(etc string) error {
	for file, lines := range map[string]string{
		"passwd": agentUser + ":x:64998:64998::/nonexistent:/usr/sbin/nologin\n" + worker +
			":x:64999:64999:Wörker,,,:/:/bin/sh\n",
		"group":  agentUser + ":x:64998:\n" + worker + ":x:64999:\n" + tokenGroup + ":x:64997:nobody\n",
		"shadow": agentUser + ":*:20000:0:99999:7:::\n" + worker + ":*:20000:0:99999:7:::\n",
	} {
		if err := appendTo(filepath.Join(etc, file), lines); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(file, lines string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines)
	return errors.Join(err, f.Close())
}

func bind(from, to string) error {
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s to %s: %w", from, to, err)
	}
	return nil
}
