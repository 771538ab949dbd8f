package cli

import (
	"context"
	"errors"
	stdflag "flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
)

var credentialVerbs = [...]string{"show", "new-certificate", "set-secret", "stage", "test", "promote"}

const credentialUsage = `show | new-certificate | set-secret | stage | test | promote [FLAGS]
       o365-sendmail credential [show] [--json]
       o365-sendmail credential new-certificate [--days DAYS]
       o365-sendmail credential set-secret [--file FILE] [--expires DAY]
       o365-sendmail credential stage [--file FILE] [--expires DAY] | --certificate-file FILE [--key-file FILE] | --pfx-file FILE
       o365-sendmail credential test [--json]
       o365-sendmail credential promote
`

// credential carries out one command about the credential of a configuration.
type credential struct {
	env    *Env
	path   string         // of the configuration
	config *config.Config // in force
	file   *setup.File
	term   *setup.Terminal // nil where nobody can be asked

	answers      setup.Answers // the new credential
	secretFile   string        // where a new secret is read from, "" for the terminal or standard input
	days         string
	json, noWait bool
}

// credentialCommand shows what the application signs in with, and replaces it. Nothing changes before Entra has
// taken the new one.
func (e *Env) credentialCommand(ctx context.Context, args []string) int {
	c := &credential{env: e}
	f := c.flags()
	rest, err := f.parse(args, 1)
	if err != nil {
		return e.failVerb(f, err)
	}
	verb := "show"
	if len(rest) == 1 {
		verb = rest[0]
	}
	if verb == "help" {
		return e.failVerb(f, errHelp)
	}
	if err := credentialFlags(f, verb); err != nil {
		return e.failVerb(f, err)
	}
	code, err := c.run(ctx, verb)
	if err != nil {
		return e.fail("o365-sendmail", err)
	}
	return code
}

func (c *credential) flags() *verbFlags {
	f := newVerbFlags("credential", credentialUsage)
	a := &c.answers
	f.StringVar(&c.path, "config", "", "the credential of another configuration `FILE`")
	f.StringVar(&c.path, "C", "", "the same as --config `FILE`")
	f.StringVar(&c.days, "days", "", "with new-certificate: its life in `DAYS`; default is 365")
	f.StringVar(&c.secretFile, "file", "", "the new secret's Value is in `FILE`, not typed or on standard input")
	f.StringVar(&a.SecretExpires, "expires", "", "the new secret's last `DAY`, as 2027-01-31")
	f.StringVar(&a.CertFile, "certificate-file", "", "with stage: the certificate in the PEM `FILE`")
	f.StringVar(&a.KeyFile, "key-file", "", "with stage: the certificate's key, a PEM `FILE`")
	f.StringVar(&a.PFXFile, "pfx-file", "", "with stage: certificate and key in the PKCS #12 `FILE`")
	f.StringVar(&a.PassphraseFile, "passphrase-file", "",
		"with stage: `FILE` with the passphrase of the key or the PFX file")
	f.BoolVar(&c.noWait, "no-wait", false, "with new-certificate: do not wait for the upload, as without a terminal")
	f.BoolVar(&c.json, "json", false, "with show and test: print JSON")
	return f
}

// credentialFlags refuses flags that would have no effect: who gives one expects that it has.
func credentialFlags(f *verbFlags, verb string) (err error) {
	of := map[string][]string{"days": {"new-certificate"}, "no-wait": {"new-certificate"}, "json": {"show", "test"},
		"file": {"set-secret", "stage"}, "expires": {"set-secret", "stage"}, "certificate-file": {"stage"},
		"key-file": {"stage"}, "pfx-file": {"stage"}, "passphrase-file": {"stage"}}
	given := map[string]bool{}
	f.Visit(func(fl *stdflag.Flag) {
		given[fl.Name] = true
		if verbs := of[fl.Name]; verbs != nil && slices.Contains(credentialVerbs[:], verb) &&
			!slices.Contains(verbs, verb) {
			err = cmdline.Usagef("credential: %s has no --%s; %s has it", verb, fl.Name, strings.Join(verbs, " or "))
		}
	})
	for _, pair := range [...][2]string{{"file", "certificate-file"}, {"file", "key-file"}, {"file", "pfx-file"},
		{"expires", "certificate-file"}, {"expires", "key-file"}, {"expires", "pfx-file"},
		{"certificate-file", "pfx-file"}, {"key-file", "pfx-file"}} {
		if err == nil && given[pair[0]] && given[pair[1]] {
			err = cmdline.Usagef("credential: --%s can't be used together with --%s; leave one out", pair[0], pair[1])
		}
	}
	return err
}

func (c *credential) run(ctx context.Context, verb string) (int, error) {
	if !slices.Contains(credentialVerbs[:], verb) {
		return 0, cmdline.Usagef("credential has no command %.64q%s; it has %s", verb,
			didYouMean(verb, credentialVerbs[:]), strings.Join(credentialVerbs[:], ", "))
	}
	if err := c.open(); err != nil {
		return 0, err
	}
	switch verb {
	case "new-certificate":
		return c.newCertificate(ctx)
	case "set-secret":
		return c.setSecret(ctx)
	case "stage":
		return c.stage(ctx)
	case "test":
		return c.test(ctx)
	case "promote":
		return c.promote(ctx)
	}
	return c.show()
}

// open finds the configuration and puts the flags into form.
func (c *credential) open() error {
	e := c.env
	cfg, err := e.process("o365-sendmail").LoadConfig(&cmdline.Options{Config: c.path})
	if err != nil {
		return asRoot(err, "credential")
	}
	if cfg.Kind == account.Relay {
		return sysexits.With(sysexits.Unavailable, errors.New(`with kind = "relay" the certificate of this host is `+
			"replaced in its files: see credential.certificate_file in o365-sendmail.toml(5); o365-sendmail doctor "+
			"shows when it expires"))
	}
	c.config, c.path = cfg, cfg.Path
	c.file = c.account().file()
	c.term = setup.OpenTerminal(e.Stdin, e.Stdout)
	c.answers.Now = e.Now
	c.answers.CertDays = c.days
	if err := c.answers.CheckAll(); err != nil {
		return cmdline.Usagef("credential: %s", strings.NewReplacer("--secret-expires", "--expires",
			"--certificate-days", "--days").Replace(err.Error()))
	}
	return nil
}

// account is the file that it changes.
func (c *credential) account() configFile { return configFile{c.env, c.path} }

// candidate returns the answers for the new credential on top of the present configuration.
func (c *credential) candidate(a setup.Answers) (*setup.Answers, error) {
	present := c.account().presentAnswers()
	if present == nil || present.Type == "" {
		return nil, sysexits.With(sysexits.Config,
			fmt.Errorf("%s has no credential yet: run o365-sendmail setup", c.path))
	}
	a.Now = c.env.Now
	a.Keep(present)
	a.Fill()
	return &a, nil
}

// staged returns the credential that waits, nil for none.
func (c *credential) staged() (*setup.Answers, error) {
	path := c.file.StagedPath()
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	p := configFile{c.env, path}.presentAnswers()
	if p == nil || p.Type == "" {
		return nil, sysexits.With(sysexits.Config, fmt.Errorf("%s holds no credential that can be read: remove it, or "+
			"stage one again", path))
	}
	return c.candidate(setup.Answers{
		Type: p.Type, Secret: p.Secret, SecretFile: p.SecretFile, SecretExpires: p.SecretExpires, CertFile: p.CertFile,
		KeyFile: p.KeyFile, PFXFile: p.PFXFile, PassphraseFile: p.PassphraseFile,
	})
}
