package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/doctor"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// setupFlags are the command line of setup.
type setupFlags struct {
	answers                                    setup.Answers
	path, sendTo, script                       string
	set                                        []string
	json, dryRun, noDoctor, yes, secretOnStdin bool
	federated, identity, device                bool
}

// setupOutcome is what --json prints.
type setupOutcome struct {
	Schema int `json:"schema"`
	setup.Written
	// Changes are the keys that change, or would.
	Changes []setup.KeyChange `json:"changes"`
	DryRun  bool              `json:"dry_run,omitempty"`
	// Config is the text that a dry run would write, secrets left out.
	Config string `json:"config,omitempty"`
	// Agent says what the agent has done with the changed file; "" where none runs.
	Agent string `json:"agent,omitempty"`
	// Certificate is the one that was made.
	Certificate *setup.NewCertificate `json:"certificate,omitempty"`
	ObjectID    string                `json:"object_id,omitempty"`
	Warnings    []string              `json:"warnings,omitempty"`
	Steps       []string              `json:"steps"`
	Commands    []string              `json:"commands"`
	Doctor      *doctor.Report        `json:"doctor,omitempty"`

	claims xoauth.Claims // of the token in our hand
}

// printOutcome is for --json; lists are empty there, never null.
func (s *setupRun) printOutcome() {
	o := &s.out
	o.Schema = 1
	o.Changes, o.Steps, o.Commands = append([]setup.KeyChange{}, o.Changes...), append([]string{}, o.Steps...),
		append([]string{}, o.Commands...)
	printJSON(s.Stdout, s.out)
}

// setupRun is one run of setup.
type setupRun struct {
	*Env
	*setupFlags
	term *setup.Terminal // nil without a person to ask
	out  setupOutcome
}

// setupCommand asks for what is needed, or takes it as flags, writes the configuration,
// prints what to do in the tenant, and lets the doctor look.
func (e *Env) setupCommand(ctx context.Context, args []string) int {
	o := setupFlags{answers: setup.Answers{Now: e.Now}}
	f := o.flags()
	if _, err := f.parse(args, 0); err != nil {
		return e.failVerb(f, err)
	}
	code, err := (&setupRun{Env: e, setupFlags: &o}).run(ctx)
	if err != nil {
		return e.fail("o365-sendmail", err)
	}
	return code
}

func (o *setupFlags) flags() *verbFlags {
	return o.add(newVerbFlags("setup", "[FLAGS]; on a terminal it asks for what the flags leave open"))
}

// add gives a command the flags of setup.
func (o *setupFlags) add(f *verbFlags) *verbFlags {
	a := &o.answers
	f.StringVar(&a.Tenant, "tenant", "", "the Directory (tenant) `ID`, or a domain of the tenant")
	f.StringVar(&a.ClientID, "client-id", "", "the Application (client) `ID`")
	f.BoolVar(&o.secretOnStdin, "client-secret-stdin", false, "read the client secret's Value from standard input")
	f.StringVar(&a.SecretFile, "client-secret-file", "", "the configuration names `FILE`, which holds the client secret")
	f.StringVar(&a.SecretExpires, "secret-expires", "", "the secret's last `DAY`, as 2027-01-31")
	f.StringVar(&a.CertFile, "certificate-file", "", "sign in with the certificate in the PEM `FILE`")
	f.StringVar(&a.KeyFile, "key-file", "", "the certificate's key, a PEM `FILE`")
	f.StringVar(&a.PFXFile, "pfx-file", "", "sign in with certificate and key in the PKCS #12 `FILE`")
	f.StringVar(&a.PassphraseFile, "passphrase-file", "", "`FILE` with the passphrase of the key or the PFX file")
	f.BoolVar(&a.NewCertificate, "new-certificate", false, "make a key and a certificate, and sign in with them")
	f.StringVar(&a.CertDays, "certificate-days", "", "the new certificate's life in `DAYS`; default is 365")
	f.BoolVar(&o.federated, "federated", false, "sign in with another issuer's token (workload identity)")
	f.StringVar(&a.TokenFile, "token-file", "", "that token's `FILE`; default is what AZURE_FEDERATED_TOKEN_FILE names")
	f.BoolVar(&o.identity, "managed-identity", false, "sign in with the managed identity of this machine in Azure")
	f.StringVar(&a.IdentityID, "identity-client-id", "", "client `ID` of a user-assigned managed identity")
	f.BoolVar(&o.device, "device-code", false, "a person signs in once in a browser; for mailboxes without an application, and outlook.com")
	f.StringVar(&a.Mailbox, "mailbox", "", "the mailbox that sends, an `ADDRESS`")
	f.StringVar(&a.RootTo, "root-to", "", "where root's mail goes, an `ADDRESS`")
	f.StringVar(&a.AlertTo, "alert-to", "", "who is told when mail stops, an `ADDRESS`")
	f.StringVar(&a.Cloud, "cloud", "", "the `CLOUD`: global, gcc-high, dod or china")
	f.Func("set", "a further key of the configuration, as `KEY=VALUE`; may be given several times", func(s string) error {
		o.set = append(o.set, s) // judged later: package flag repeats the value in its errors
		return nil
	})
	f.StringVar(&o.path, "config", config.SystemPath, "write `FILE`")
	f.StringVar(&o.path, "C", config.SystemPath, "the same as --config `FILE`")
	f.StringVar(&a.Kind, "kind", "",
		"what the account is: `KIND` is mailbox (Exchange Online), hve (High Volume Email) or relay (the agent of "+
			"another host, with --set smtp.host=HOST and this host's --certificate-file)")
	f.StringVar(&a.Way, "way", "", "how the application may send: `WAY` is scoped (the scoped role) or api (the API "+
		"permission)")
	f.StringVar(&o.script, "script", "",
		"write PowerShell for the tenant's administrator to `FILE` (- is standard output)")
	f.StringVar(&o.sendTo, "send-to", "", "the doctor sends a test message to `ADDRESS`")
	f.BoolVar(&o.yes, "yes", false, "write without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be written and done, and change nothing")
	f.BoolVar(&o.noDoctor, "no-doctor", false, "do not check afterwards")
	f.BoolVar(&o.json, "json", false, "ask nothing, print JSON")
	return f
}

// keyChange reads KEY=VALUE and writes the value as the key's kind needs it.
func keyChange(s string) (setup.Change, error) {
	name, value, ok := strings.Cut(s, "=")
	i := slices.IndexFunc(config.Keys(), func(k *config.Key) bool { return k.Name == name })
	switch {
	case !ok:
		return setup.Change{}, errors.New("must be KEY=VALUE")
	case i < 0:
		return setup.Change{}, fmt.Errorf("%.64q is no key of the configuration", name)
	case strings.ContainsAny(value, "\r\n"):
		return setup.Change{}, fmt.Errorf("%s: the value has more than one line", name)
	case config.Keys()[i].Secret():
		return setup.Change{}, fmt.Errorf("%s is a secret, which every user of this machine can see in a command line: use --client-secret-stdin", name)
	}
	number := strings.Trim(value, "0123456789-") == "" && value != ""
	switch k := config.Keys()[i].Kind; {
	case (k == config.KindInt || k == config.KindDate) && number, k == config.KindBool && (value == "true" || value == "false"),
		strings.HasPrefix(value, "["), strings.HasPrefix(value, `"`):
	default:
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	return setup.Change{Key: name, Value: []byte(value)}, nil
}

func (s *setupRun) run(ctx context.Context) (int, error) {
	if err := s.fillAnswers(); err != nil {
		return 0, err
	}
	return s.proceed(ctx)
}

// proceed goes on when the flags are read.
func (s *setupRun) proceed(ctx context.Context) (int, error) {
	if !s.json && !s.secretOnStdin {
		s.term = setup.OpenTerminal(s.Stdin, s.Stdout)
	}
	if err := s.answer(ctx, s.term); err != nil {
		return 0, err
	}
	file := s.account().file()
	makes := file.PlanCertificate(&s.answers)
	if s.dryRun {
		return s.dry(file, makes)
	}
	changes, err := file.Changes(&s.answers)
	if err != nil {
		return 0, explainWrite(s.path, err)
	}
	s.out.Changes = changes
	if s.script != "" {
		if err := s.writeScript(); err != nil || len(changes) == 0 && s.script == "-" {
			return sysexits.OK, err
		}
	}
	if s.term != nil && !s.yes && len(changes) > 0 {
		if ok, err := s.term.Confirm(ctx, "\nWrite "+s.path+"?"); err != nil || !ok {
			return 0, sysexits.With(sysexits.Usage, errors.Join(err, errors.New("nothing was changed")))
		}
	}
	if makes {
		if s.out.Certificate, err = s.makeCertificate(ctx, file); err != nil {
			return 0, err
		}
	}
	if err := s.write(ctx, file); err != nil {
		return 0, err
	}
	return s.finish(ctx)
}

// answer fills in what the flags leave open, from the present configuration or by asking. On a host that is
// configured, flags change what they name and nothing is asked.
func (s *setupRun) answer(ctx context.Context, term *setup.Terminal) error {
	a := &s.answers
	present := s.account().presentAnswers()
	if err := syscall.Access(s.account().path, 4); present == nil && errors.Is(err, os.ErrPermission) {
		return explainWrite(s.account().path, &os.PathError{Op: "open", Path: s.account().path, Err: err})
	}
	given := a.Given() || s.script != ""
	if present != nil {
		a.Keep(present)
	}
	if filled := *a; term != nil {
		filled.Fill()
		if given && present != nil && filled.Type != "" && len(filled.Missing()) == 0 {
			term = nil
		}
	}
	if term != nil {
		if err := term.Ask(ctx, a); err != nil {
			return sysexits.With(sysexits.Usage, err)
		}
	}
	a.Fill()
	a.Default()
	if missing := a.Missing(); len(missing) > 0 {
		return cmdline.Usagef("setup: there is no terminal to ask at; give %s (o365-sendmail setup --help lists "+
			"all flags)",
			strings.Join(missing, ", "))
	}
	return nil
}

// write puts the configuration in place. A pair that a person has uploaded stays, whatever comes.
func (s *setupRun) write(ctx context.Context, file *setup.File) error {
	made := s.out.Certificate
	uploaded := made != nil && s.term != nil && !s.yes
	file.Check = s.account().checkFile(func(cfg *config.Config) error {
		if s.noDoctor || !touchesAccount(s.out.Changes) {
			return nil
		}
		return s.tryFirst(ctx, cfg)
	})
	written, err := file.Write(&s.answers)
	s.out.Written = written
	switch {
	case err == nil:
		return nil
	case uploaded:
		err = fmt.Errorf("%w; the new pair is kept: o365-sendmail setup --certificate-file %s --key-file %s", err,
			made.File, made.KeyFile)
	case made != nil:
		err = errors.Join(err, made.Remove())
	}
	return explainWrite(s.path, err)
}

// fillAnswers derives the credential's type and reads the secret.
func (s *setupRun) fillAnswers() error {
	a := &s.answers
	given := []string{}
	for kind, is := range map[string]bool{
		setup.TypeSecret:      s.secretOnStdin || a.SecretFile != "",
		setup.TypeCertificate: a.CertFile+a.KeyFile+a.PFXFile+a.CertDays != "" || a.NewCertificate,
		setup.TypeFederated:   s.federated || a.TokenFile != "",
		setup.TypeIdentity:    s.identity || a.IdentityID != "",
		setup.TypeDevice:      s.device,
	} {
		if is {
			given = append(given, kind)
		}
	}
	if len(given) > 1 {
		slices.Sort(given)
		return cmdline.Usagef("setup: an account has one credential: choose %s", strings.Join(given, " or "))
	}
	if a.NewCertificate && a.CertFile+a.KeyFile+a.PFXFile != "" {
		return cmdline.Usagef("setup: --new-certificate makes its own files: leave out --certificate-file, " +
			"--key-file and " +
			"--pfx-file")
	}
	if len(given) == 1 {
		a.Type = given[0]
	}
	for _, text := range s.set {
		c, err := keyChange(text)
		if err != nil {
			return cmdline.Usagef("setup: --set: %v", err)
		}
		a.Set = append(a.Set, c)
		if c.Key == "smtp.host" && a.Kind == "" {
			a.Kind = account.At(strings.Trim(string(c.Value), `"`))
		}
	}
	if err := a.CheckAll(); err != nil {
		return cmdline.Usagef("setup: %v", err)
	}
	if a.Relayed() && a.Type == "" {
		a.Type = setup.TypeCertificate
	}
	if s.sendTo != "" {
		if err := checkAddress(s.sendTo); err != nil {
			return cmdline.Usagef("setup: --send-to: %v", err)
		}
	}
	if s.secretOnStdin {
		var err error
		a.Secret, err = readSecret(s.Stdin, "setup: --client-secret-stdin")
		return err
	}
	return nil
}

// readSecret reads a secret that nobody types, and judges its form. Its errors hold none of it.
func readSecret(r io.Reader, what string) (xoauth.Secret, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return xoauth.Secret{},
			sysexits.With(sysexits.NoInput, fmt.Errorf("%s: the secret can't be read: %w", what, err))
	}
	s, err := setup.CheckSecret(string(text))
	if err != nil {
		return xoauth.Secret{}, cmdline.Usagef("%s: %v", what, err)
	}
	return s, nil
}

// dry shows what would be written and done.
func (s *setupRun) dry(file *setup.File, makes bool) (int, error) {
	text, err := file.Text(&s.answers, true)
	if err != nil {
		return 0, err
	}
	changes, err := file.Changes(&s.answers)
	if err != nil {
		return 0, err
	}
	if !makes { // the files of a pair that is to be made are not there
		if err := s.account().checkText(file, &s.answers); err != nil {
			return 0, explainWrite(s.path, err)
		}
	}
	s.out = setupOutcome{Written: setup.Written{Path: s.path, Changed: len(changes) > 0}, Changes: changes,
		DryRun: true,
		Config: string(text)}
	s.addSteps()
	if s.json {
		s.printOutcome()
		return sysexits.OK, nil
	}
	fmt.Fprintf(s.Stdout, "%s would be:\n\n%s\n", s.path, text)
	for _, c := range changes {
		fmt.Fprintf(s.Stdout, "%s would change from %s to %s\n", c.Key, cmp.Or(c.Old, "nothing"),
			cmp.Or(c.New, "nothing"))
	}
	s.printSteps()
	return sysexits.OK, nil
}

// explainWrite says what to do when the configuration can't be written.
func explainWrite(path string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return sysexits.With(sysexits.NoPerm, fmt.Errorf("%w; run sudo o365-sendmail setup, or name a file of your own with --config", err))
	}
	return sysexits.With(sysexits.Code(err, sysexits.CantCreat), fmt.Errorf("%s is not changed: %w", path, err))
}
