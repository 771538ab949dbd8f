package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// StagedPath is where a credential waits that is to follow the one in force. It is a configuration of its own that
// holds nothing else; the agent does not read it.
func (f *File) StagedPath() string { return strings.TrimSuffix(f.Path, ".toml") + ".staged.toml" }

const stagedHead = "# A credential that waits beside the one in force: o365-sendmail credential show, test, promote.\n"

// Stage puts a credential there, readable by its owner alone.
func (f *File) Stage(a *Answers) error {
	only := &Answers{
		Type: a.Type, Secret: a.Secret, SecretFile: a.SecretFile, SecretExpires: a.SecretExpires, CertFile: a.CertFile,
		KeyFile: a.KeyFile, PFXFile: a.PFXFile, PassphraseFile: a.PassphraseFile,
	}
	var set []Change
	for _, c := range only.changes() {
		if c.Value != nil && c.Key != "mailbox" {
			set = append(set, c)
		}
	}
	text, err := Edit([]byte(stagedHead), set)
	if err != nil {
		return err
	}
	if err := planted(f.StagedPath(), 0); err != nil {
		return err
	}
	return durable.Replace(f.StagedPath(), text, 0o600)
}

// Unstage removes it; a missing one is not an error.
func (f *File) Unstage() error {
	if err := durable.System.Remove(f.StagedPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// ReplaceSecret puts a new secret into the file that the configuration names for it, which keeps owner and mode.
func ReplaceSecret(path string, secret xoauth.Secret) error {
	if err := planted(path, 0); err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return durable.ReplaceOwned(path, assemble.SecretFileText(secret), fi.Mode().Perm(), int(st.Uid), int(st.Gid))
}
