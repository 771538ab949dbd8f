package setup

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/durable"
)

// Owner is who may read the configuration besides root.
type Owner struct {
	// GID is the service user's group; -1 when there is none, or for a
	// user's own configuration.
	GID int
}

// File is a configuration to be written.
type File struct {
	Path string
	// Sample is what an absent file begins with.
	Sample []byte
	Owner  Owner
	// Check reads the new file before it takes its place.
	Check func(path string) error
	Now   func() time.Time
}

// Written says what was done.
type Written struct {
	Path   string `json:"path"`
	Backup string `json:"backup,omitempty"` // "" when there was nothing to keep
	Mode   string `json:"mode"`
	// Changed is false when the file said all that already.
	Changed bool `json:"changed"`
}

// Text is what Write would write. With shown, secrets are left out.
func (f *File) Text(a *Answers, shown bool) ([]byte, error) {
	old, err := f.old()
	if err != nil {
		return nil, err
	}
	if old == nil {
		old = f.Sample
	}
	text, err := Edit(old, a.changes())
	if shown && err == nil {
		return hideSecrets(text)
	}
	return text, err
}

// secretKeys hold a secret as it is.
var secretKeys = []string{"client_secret", "client_secret_next"}

// hideSecrets replaces the secrets of a text, those that are commented out as well.
func hideSecrets(text []byte) ([]byte, error) {
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		for _, key := range secretKeys {
			bare := strings.TrimLeft(line, " \t#")
			if !names(bare, key) {
				continue
			}
			if openEnded(bare) {
				return nil, fmt.Errorf("%s has a value of several lines, which can't be hidden: write it in one", key)
			}
			lines[i] = line[:len(line)-len(bare)] + key + " = \"[redacted]\"\n"
		}
	}
	return []byte(strings.Join(lines, "")), nil
}

// Changes lists the keys that Write would change.
func (f *File) Changes(a *Answers) ([]KeyChange, error) {
	old, err := f.old()
	if err != nil {
		return nil, err
	}
	return Compare(old, a.changes()), nil
}

// old returns the present file, nil when there is none.
func (f *File) old() ([]byte, error) {
	b, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Write checks the new text and puts it in place. At no time can others read it: it is
// 0600 until its group is right.
func (f *File) Write(a *Answers) (Written, error) {
	if err := planted(f.Path, 0); err != nil {
		return Written{Path: f.Path}, err
	}
	if real, err := filepath.EvalSymlinks(f.Path); err == nil {
		f.Path = real
	}
	w := Written{Path: f.Path, Mode: "0600"}
	text, err := f.Text(a, false)
	if err != nil {
		return w, err
	}
	if err := f.try(text); err != nil {
		return w, err
	}
	old, err := f.old()
	if err != nil {
		return w, err
	}
	if w.Changed = !bytes.Equal(old, text); !w.Changed {
		return f.own(w)
	}
	if err := durable.Sweep(f.Path, f.Now()); err != nil {
		return w, err
	}
	if old != nil {
		w.Backup = f.backup()
		if err := durable.Replace(w.Backup, old, 0o600); err != nil {
			return w, fmt.Errorf("the old configuration can't be kept: %w", err)
		}
	}
	if f.Owner.GID < 0 {
		return w, durable.Replace(f.Path, text, 0o600)
	}
	w.Mode = "0640"
	return w, durable.ReplaceOwned(f.Path, text, 0o640, 0, f.Owner.GID)
}

// backup is a name that is free for the old file: two changes may come within a second.
func (f *File) backup() string {
	first := f.Path + ".bak-" + f.Now().UTC().Format("20060102T150405Z")
	name := first
	for n := 2; exists(name); n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}

// planted refuses a way that leads over another user's symbolic link: that user would choose what is written.
func planted(path string, depth int) error {
	path, err := filepath.Abs(path)
	if err != nil || depth > 40 {
		return fmt.Errorf("%s: %w", path, cmp.Or(err, error(syscall.ELOOP)))
	}
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		fi, err := os.Lstat(path[:i])
		if err != nil || fi.Mode().Type() != fs.ModeSymlink {
			continue // what is not there yet leads nowhere
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s is another user's symbolic link, which is not followed: name the file that is "+
				"meant: %w", path[:i], fs.ErrPermission)
		}
		target, err := os.Readlink(path[:i])
		if err != nil {
			return err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path[:i]), target)
		}
		return planted(target+path[i:], depth+1)
	}
	return nil
}

// own gives the file to the service's group, if there is one.
func (f *File) own(w Written) (Written, error) {
	if f.Owner.GID < 0 {
		return w, nil
	}
	if err := errors.Join(os.Chown(f.Path, 0, f.Owner.GID), os.Chmod(f.Path, 0o640)); err != nil {
		return w, fmt.Errorf("%s is written, but the service can't read it: %w", f.Path, err)
	}
	w.Mode = "0640"
	return w, nil
}

// try reads the text as the configuration that it will be.
func (f *File) try(text []byte) error {
	if f.Check == nil {
		return nil
	}
	path := f.Path + ".new"
	if err := durable.Replace(path, text, 0o600); err != nil {
		return err
	}
	defer os.Remove(path)
	return f.Check(path)
}
