package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
)

// presentAnswers are what the configuration says already; nil where there is none that can be read.
func (s *setupRun) presentAnswers() *setup.Answers {
	if f, err := os.Open(s.path); err != nil {
		return nil
	} else {
		_ = f.Close()
	}
	c, _ := config.Loader{Getenv: s.Getenv}.LoadLenient(s.path)
	if c == nil {
		return nil
	}
	k := &c.Credential
	a := &setup.Answers{
		Cloud: c.Cloud, Tenant: c.Tenant, ClientID: c.ClientID, Mailbox: c.Mailbox, Way: c.Way, RootTo: c.RootTo,
		AlertTo: c.AlertTo, Secret: c.ClientSecret, SecretFile: c.ClientSecretFile, CertFile: k.CertificateFile,
		KeyFile: k.KeyFile, PFXFile: k.PFXFile, PassphraseFile: k.PassphraseFile, TokenFile: k.TokenFile,
		IdentityID: k.IdentityClientID, HVE: setup.HVEHost(c.SMTP.Host),
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
func (s *setupRun) file() *setup.File {
	f := &setup.File{Path: s.path, Sample: []byte(config.Sample()), Owner: setup.Owner{GID: -1}, Now: s.Now}
	if u, ok := host.UserByName(config.ServiceUser); ok && os.Geteuid() == 0 && strings.HasPrefix(s.path, "/etc/") {
		f.Owner.GID = u.GID
	}
	f.Check = s.checkFile(nil)
	return f
}

// checkFile returns a check of a file that is to take the place of the one at s.path: it is read as a whole, and
// what proves the application's identity, too. try has the last word; it may be nil.
func (s *setupRun) checkFile(try func(*config.Config) error) func(tried string) error {
	return func(tried string) error {
		cfg, err := config.Loader{Getenv: s.Getenv}.Load(tried)
		if err == nil && len(cfg.Ignored) > 0 {
			err = cfg.Ignored
		}
		if err == nil {
			err = s.readCredential(cfg)
		}
		if err != nil {
			return sysexits.With(sysexits.Config, errors.New(strings.ReplaceAll(err.Error(), tried, s.path)))
		}
		if try != nil {
			return try(cfg)
		}
		return nil
	}
}

// readCredential reads the files of a secret or a certificate. Those of another service's environment, such as
// systemd's credentials, can't be seen from here.
func (s *setupRun) readCredential(cfg *config.Config) error {
	k := &cfg.Credential
	if k.Type != config.TypeSecret && k.Type != config.TypeCertificate {
		return nil
	}
	for _, ref := range []string{cfg.ClientSecretFile, cfg.SecondSecretFile, k.KeyFile, k.PFXFile, k.PassphraseFile} {
		if strings.HasPrefix(ref, "credential:") {
			return nil
		}
	}
	_, err := assemble.Account(cfg, assemble.Options{HostName: host.Name(), Getenv: s.Getenv, Now: s.Now})
	return err
}

// checkText checks what would be written, in a directory of its own.
func (s *setupRun) checkText(file *setup.File) error {
	text, err := file.Text(&s.answers, false)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "o365-sendmail-setup-")
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
	old, err := os.ReadFile(s.script)
	switch {
	case err == nil && !setup.IsScript(string(old)):
		return cmdline.Usagef("setup: --script: %s exists and is no script of o365-sendmail: name another file", s.script)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if err := durable.Replace(s.script, []byte(text), 0o644); err != nil {
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if !s.json {
		fmt.Fprintf(s.Stdout, "\n%s is written: give it to who administers the tenant.\n"+
			"Its last lines are a report; save them here, and read them with: o365-sendmail doctor --tenant-report FILE\n",
			s.script)
	}
	return nil
}
