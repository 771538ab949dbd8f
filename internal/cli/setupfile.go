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
func (e *Env) presentAnswers(path string) *setup.Answers {
	if f, err := os.Open(path); err != nil {
		return nil
	} else {
		_ = f.Close()
	}
	c, _ := config.Loader{Getenv: e.Getenv}.LoadLenient(path)
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

// setupFile says how the configuration is written: readable by root and the service, or
// by its owner alone.
func (e *Env) setupFile(path string) *setup.File {
	f := &setup.File{Path: path, Sample: []byte(config.Sample()), Owner: setup.Owner{GID: -1}, Now: e.Now}
	if u, ok := host.UserByName(config.ServiceUser); ok && os.Geteuid() == 0 && strings.HasPrefix(path, "/etc/") {
		f.Owner.GID = u.GID
	}
	f.Check = e.checkFile(path, nil)
	return f
}

// checkFile returns a check of a file that is to take the place of the one at path: it is read as a whole, and
// what proves the application's identity, too. try has the last word; it may be nil.
func (e *Env) checkFile(path string, try func(*config.Config) error) func(tried string) error {
	return func(tried string) error {
		cfg, err := config.Loader{Getenv: e.Getenv}.Load(tried)
		if err == nil && len(cfg.Ignored) > 0 {
			err = cfg.Ignored
		}
		if err == nil {
			err = e.readCredential(cfg)
		}
		if err != nil {
			return sysexits.With(sysexits.Config, errors.New(strings.ReplaceAll(err.Error(), tried, path)))
		}
		if try != nil {
			return try(cfg)
		}
		return nil
	}
}

// readCredential reads the files of a secret or a certificate. Those of another service's environment, such as
// systemd's credentials, can't be seen from here.
func (e *Env) readCredential(cfg *config.Config) error {
	k := &cfg.Credential
	if k.Type != config.TypeSecret && k.Type != config.TypeCertificate {
		return nil
	}
	for _, ref := range []string{cfg.ClientSecretFile, cfg.SecondSecretFile, k.KeyFile, k.PFXFile, k.PassphraseFile} {
		if strings.HasPrefix(ref, "credential:") {
			return nil
		}
	}
	_, err := assemble.Account(cfg, assemble.Options{HostName: host.Name(), Getenv: e.Getenv, Now: e.Now})
	return err
}

// checkText checks what would be written, in a directory of its own.
func (e *Env) checkText(file *setup.File, a *setup.Answers) error {
	text, err := file.Text(a, false)
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
func (e *Env) writeScript(o *setupFlags) error {
	text := setup.Script(o.answers.Type, o.answers.Values())
	if o.script == "-" {
		fmt.Fprint(e.Stdout, text)
		return nil
	}
	old, err := os.ReadFile(o.script)
	switch {
	case err == nil && !setup.IsScript(string(old)):
		return cmdline.Usagef("setup: --script: %s exists and is no script of o365-sendmail: name another file", o.script)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if err := durable.Replace(o.script, []byte(text), 0o644); err != nil {
		return sysexits.With(sysexits.CantCreat, fmt.Errorf("--script: %w", err))
	}
	if !o.json {
		fmt.Fprintf(e.Stdout, "\n%s is written: give it to who administers the tenant.\n"+
			"Its last lines are a report; save them here, and read them with: o365-sendmail doctor --tenant-report FILE\n",
			o.script)
	}
	return nil
}
