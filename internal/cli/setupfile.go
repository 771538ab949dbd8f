package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
)

// configFile is a configuration that setup and credential change.
type configFile struct {
	*Env
	path string
}

// account is the file that a run of setup changes.
func (s *setupRun) account() configFile { return configFile{s.Env, s.path} }

// presentAnswers are what the configuration says already; nil where there is none that can be read.
func (f configFile) presentAnswers() *setup.Answers {
	in, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is no configuration, and is not waited for
	if err != nil {
		return nil
	}
	_ = in.Close()
	c, _ := config.Loader{Getenv: f.Getenv}.LoadLenient(f.path)
	if c == nil {
		return nil
	}
	k := &c.Credential
	a := &setup.Answers{
		Cloud: c.Cloud, Tenant: c.Tenant, ClientID: c.ClientID, Mailbox: c.Mailbox, Way: c.Way, RootTo: c.RootTo,
		AlertTo: c.AlertTo, Secret: c.ClientSecret, SecretFile: c.ClientSecretFile, CertFile: k.CertificateFile,
		KeyFile: k.KeyFile, PFXFile: k.PFXFile, PassphraseFile: k.PassphraseFile, TokenFile: k.TokenFile,
		IdentityID: k.IdentityClientID, Kind: c.Kind,
	}
	if k.Type != config.TypeSecret || !c.ClientSecret.Empty() || c.ClientSecretFile != "" {
		a.Type = k.Type
	}
	if k.KeyFile == k.CertificateFile {
		a.KeyFile = "" // its default
	}
	if !c.SecretExpires.IsZero() {
		a.SecretExpires = c.SecretExpires.Format(time.DateOnly)
	}
	return a
}

// file says how the configuration is written: readable by root and the service, or
// by its owner alone.
func (f configFile) file() *setup.File {
	file := &setup.File{Path: f.path, Sample: []byte(config.Sample()), Owner: setup.Owner{GID: -1}, Now: f.Now}
	if u, ok := host.UserByName(config.ServiceUser); ok && os.Geteuid() == 0 && strings.HasPrefix(f.path, "/etc/") {
		file.Owner.GID = u.GID
	}
	file.Check = f.checkFile(nil)
	return file
}

// checkFile returns a check of a file that is to take the place of the one at f.path: it is read as a whole, and
// what proves the application's identity, too. try has the last word; it may be nil.
func (f configFile) checkFile(try func(*config.Config) error) func(tried string) error {
	return func(tried string) error {
		cfg, err := config.Loader{Getenv: f.Getenv}.Load(tried)
		if err == nil && len(cfg.Ignored) > 0 {
			err = cfg.Ignored
		}
		if err == nil {
			err = f.readCredential(cfg)
		}
		if err != nil {
			return sysexits.With(sysexits.Config, errors.New(strings.ReplaceAll(err.Error(), tried, f.path)))
		}
		if try != nil {
			return try(cfg)
		}
		return nil
	}
}

// readCredential reads the files of a secret or a certificate. Those of another service's environment, such as
// systemd's credentials, can't be seen from here.
func (f configFile) readCredential(cfg *config.Config) error {
	k := &cfg.Credential
	if k.Type != config.TypeSecret && k.Type != config.TypeCertificate {
		return nil
	}
	for _, ref := range []string{cfg.ClientSecretFile, cfg.SecondSecretFile, k.KeyFile, k.PFXFile, k.PassphraseFile} {
		if strings.HasPrefix(ref, "credential:") {
			return nil
		}
	}
	_, err := assemble.Account(cfg, assemble.Options{HostName: host.Name(), Getenv: f.Getenv, Now: f.Now})
	return err
}

// checkText checks what would be written, in a directory of its own.
func (f configFile) checkText(file *setup.File, a *setup.Answers) error {
	text, err := file.Text(a, false)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(file.Path), ".o365-sendmail-")
	if err != nil {
		dir, err = os.MkdirTemp("", "o365-sendmail-")
	}
	if err != nil {
		return sysexits.With(sysexits.CantCreat, err)
	}
	defer os.RemoveAll(dir)
	tried := filepath.Join(dir, filepath.Base(file.Path))
	if err := os.WriteFile(tried, text, 0o600); err != nil {
		return sysexits.With(sysexits.CantCreat, err)
	}
	return file.Check(tried)
}

// writeScript writes the PowerShell for the tenant. What is there already is replaced only if it is one of ours.
func (s *setupRun) writeScript() error {
	text := setup.Script(s.answers.Type, s.answers.Values())
	if s.script == "-" {
		fmt.Fprint(s.Stdout, text)
		return nil
	}
	var old []byte
	fi, err := os.Stat(s.script)
	if err == nil && fi.Mode().IsRegular() {
		old, err = os.ReadFile(s.script)
	}
	switch {
	case err == nil && !setup.IsScript(string(old)):
		return cmdline.Usagef("setup: --script: %s exists and is not a script of o365-sendmail: name another file",
			s.script)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if err := durable.Replace(s.script, []byte(text), 0o644); err != nil {
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if !s.json {
		fmt.Fprintf(s.Stdout, "\n%s is written: give it to the tenant's administrator.\n"+
			"Its last lines are a report; save them here, and read them with: "+
			"o365-sendmail doctor --tenant-report FILE\n",
			s.script)
	}
	return nil
}
