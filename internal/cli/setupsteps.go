package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// finish goes on when the configuration is written: a person's sign-in, the object id
// from a first token, what to do in the tenant, and the doctor.
func (s *setupRun) finish(ctx context.Context) (int, error) {
	if !s.json {
		done := "is written"
		if !s.out.Changed {
			done = "is up to date"
		}
		fmt.Fprintf(s.Stdout, "\n%s %s (mode %s)\n", s.out.Path, done, s.out.Mode)
		if s.out.Backup != "" {
			fmt.Fprintf(s.Stdout, "the old one is %s\n", s.out.Backup)
		}
	}
	if s.out.Changed {
		s.out.Agent = s.reloadAgent(ctx, s.out.Path)
	}
	if !s.json && s.out.Agent != "" {
		fmt.Fprintln(s.Stdout, s.out.Agent)
	}
	if s.answers.Type == setup.TypeDevice {
		if err := s.signInPerson(ctx); err != nil {
			return 0, err
		}
	}
	if err := s.process("o365-sendmail").DropRoot(); err != nil {
		return 0, err
	}
	if s.answers.Type != setup.TypeDevice && !s.answers.Relayed() && !s.noDoctor {
		s.out.claims = s.claims(ctx)
		s.out.ObjectID = s.out.claims.OID
	}
	s.addSteps()
	if !s.json {
		s.printSteps()
	}
	return s.check(ctx)
}

// makeCertificate makes the pair and shows what to upload. A person uploads it before the
// configuration names it, so that a host that sends does not stop.
func (s *setupRun) makeCertificate(ctx context.Context, file *setup.File) (*setup.NewCertificate, error) {
	host, _ := os.Hostname()
	made, err := file.MakeCertificate(&s.answers, host)
	if err != nil {
		return nil, explainWrite(s.answers.KeyFile, err)
	}
	if !s.json {
		s.showCertificate(made, s.answers.ClientID)
	}
	if s.term != nil && !s.yes {
		if _, err := s.term.Line(ctx, "When it is uploaded, press Enter.\n> "); err != nil {
			return nil, sysexits.With(sysexits.Usage, errors.Join(err, made.Remove()))
		}
	}
	return made, nil
}

// claims asks for a token, which tells the one value that is easily mixed up and what is done already. That it
// can't be had is for the doctor to explain.
func (s *setupRun) claims(ctx context.Context) xoauth.Claims {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	quiet := s.process("o365-sendmail")
	quiet.Stderr = io.Discard
	t, err := ownToken(ctx, quiet, s.out.Path, deliver.AnyAge)
	if err != nil {
		return xoauth.Claims{}
	}
	c, err := xoauth.ParseClaims(t.Access)
	if err != nil || !xoauth.IsGUID(c.OID) {
		return xoauth.Claims{}
	}
	return c
}

// addSteps fills in what is to be done in the tenant.
func (s *setupRun) addSteps() {
	v := s.answers.Values()
	v.ObjectID, v.ClientID = s.out.ObjectID, cmp.Or(v.ClientID, s.out.claims.AppID)
	v.SignedIn = s.out.ObjectID != ""
	v.Consented = s.out.claims.HasRole(v.Role())
	s.out.Warnings = setup.Warnings(&s.answers)
	kind := s.answers.Type
	if s.answers.Relayed() {
		s.out.Steps, s.out.Commands = []string{}, []string{}
		return
	}
	s.out.Steps, s.out.Commands = setup.Steps(kind, v), setup.Commands(kind, v)
}

func (s *setupRun) printSteps() {
	for _, w := range s.out.Warnings {
		s.warnf("o365-sendmail", "%s", w)
	}
	if s.out.claims.OID != "" {
		fmt.Fprint(s.Stdout, "\nEntra knows the application and takes its credential.\n")
	}
	if s.answers.Relayed() {
		fmt.Fprint(s.Stdout, "\nNothing is to be done in the tenant: the relay has the account. There, from.allow may "+
			"name this host\nby its certificate, as \"cert:NAME\".\n\n")
		return
	}
	if len(s.out.Steps) > 0 {
		fmt.Fprint(s.Stdout, "\nIn the tenant, what may be left to do:\n\n")
	}
	for i, step := range s.out.Steps {
		fmt.Fprintf(s.Stdout, "%d. %s\n", i+1, step)
	}
	fmt.Fprint(s.Stdout, "\nIn Exchange Online PowerShell (Install-Module ExchangeOnlineManagement), once:\n\n")
	for _, c := range s.out.Commands {
		fmt.Fprintln(s.Stdout, c)
	}
	fmt.Fprint(s.Stdout, "\nChanges take up to 2 hours. o365-sendmail setup --script FILE writes all of it as "+
		"one script\n"+
		"for the tenant's administrator, which may be run again and says what it finds.\n\n")
}

// check lets the doctor look, once the person has done what the script is for.
func (s *setupRun) check(ctx context.Context) (int, error) {
	if s.noDoctor {
		if s.json {
			s.printOutcome()
		} else {
			fmt.Fprint(s.Stdout, host.Hint("next: sudo o365-sendmail doctor\n", s.UID))
		}
		return sysexits.OK, nil
	}
	if s.term != nil && !s.yes {
		to, err := s.term.Line(ctx, "When that is done: a test message goes to which address? ["+
			cmp.Or(s.sendTo, s.answers.RootTo, "none")+"] > ")
		if err != nil {
			return sysexits.OK, nil // the configuration stands; the doctor can be called later
		}
		if s.sendTo = cmp.Or(to, s.sendTo, s.answers.RootTo); s.sendTo != "" && checkAddress(s.sendTo) != nil {
			s.warnf("o365-sendmail", "%.128q is not an address: no message is sent", s.sendTo)
			s.sendTo = ""
		}
	}
	// Root's rights may have gone.
	now := *s.Env
	now.UID = os.Geteuid()
	if s.json {
		s.out.Doctor = now.examine(ctx, doctorFlags{config: s.out.Path, json: true, sendTo: s.sendTo})
		s.printOutcome()
		return s.out.Doctor.Exit, nil
	}
	return now.runDoctor(ctx, doctorFlags{config: s.out.Path, sendTo: s.sendTo}), nil
}

// signInPerson is the device code flow: the person enters a code in any browser.
func (s *setupRun) signInPerson(ctx context.Context) error {
	cfg, err := s.process("o365-sendmail").LoadConfig(&cmdline.Options{Config: s.out.Path})
	if err != nil {
		return err
	}
	store := assemble.RefreshTokenFile(cfg)
	own := []string{store}
	if _, err := os.Stat(filepath.Dir(store)); errors.Is(err, fs.ErrNotExist) {
		own = append(own, filepath.Dir(store))
	}
	d, err := assemble.SignIn(cfg, func(err error) { s.warnf("o365-sendmail", "%v", err) })
	if err != nil {
		return sysexits.With(sysexits.Config, err)
	}
	a, err := d.Begin(ctx)
	if err != nil {
		return err
	}
	// Standard output may be JSON.
	fmt.Fprintf(s.Stderr, "\nIn any browser, as who sends: open %s and enter the code %s\n",
		printable.Line(a.VerificationURI), printable.Line(a.UserCode))
	if _, err := d.Poll(ctx, a); err != nil {
		return err
	}
	u, ok := host.UserByName(config.ServiceUser)
	for _, path := range own {
		if !ok || os.Geteuid() != 0 {
			break
		}
		if err := os.Chown(path, u.UID, u.GID); err != nil {
			return err
		}
	}
	return nil
}
