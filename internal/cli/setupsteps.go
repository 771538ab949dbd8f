package cli

import (
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
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// afterSetup goes on when the configuration is written: a person's sign-in, the object id
// from a first token, what to do in the tenant, and the doctor.
func (e *Env) afterSetup(ctx context.Context, o *setupFlags, term *setup.Terminal, out *setupOutcome) (int, error) {
	if !o.json {
		done := "is written"
		if !out.Changed {
			done = "says all that already"
		}
		fmt.Fprintf(e.Stdout, "\n%s %s (mode %s)\n", out.Path, done, out.Mode)
		if out.Backup != "" {
			fmt.Fprintf(e.Stdout, "the old one is %s\n", out.Backup)
		}
	}
	if out.Changed {
		out.Agent = e.reloadAgent(ctx, out.Path)
	}
	if !o.json && out.Agent != "" {
		fmt.Fprintln(e.Stdout, out.Agent)
	}
	if o.answers.Type == setup.TypeDevice {
		if err := e.signInPerson(ctx, out.Path); err != nil {
			return 0, err
		}
	}
	if err := e.process("o365-sendmail").DropRoot(); err != nil {
		return 0, err
	}
	if o.answers.Type != setup.TypeDevice && !o.noDoctor {
		out.claims = e.claims(ctx, out.Path)
		out.ObjectID = out.claims.OID
	}
	e.tellSteps(o, out)
	if !o.json {
		e.printSteps(out)
	}
	return e.checkSetup(ctx, o, term, out)
}

// makeCertificate makes the pair and shows what to upload. A person uploads it before the
// configuration names it, so that a host that sends does not stop.
func (e *Env) makeCertificate(
	ctx context.Context, o *setupFlags, file *setup.File, term *setup.Terminal,
) (*setup.NewCertificate, error) {
	host, _ := os.Hostname()
	made, err := file.MakeCertificate(&o.answers, host)
	if err != nil {
		return nil, explainWrite(o.answers.KeyFile, err)
	}
	if !o.json {
		fmt.Fprintf(e.Stdout, "\nThe private key is %s and stays here.\n"+
			"The certificate is %s (thumbprint %s, until %s):\n\n%s\n"+
			"Upload it: Entra admin center > App registrations > %s > Certificates & secrets > Certificates > "+
			"Upload certificate\n",
			made.KeyFile, made.File, made.Thumbprint, made.Expires, made.PEM, first(o.answers.ClientID, "your app"))
	}
	if term != nil && !o.yes {
		if _, err := term.Line(ctx, "When it is uploaded, press Enter.\n> "); err != nil {
			return nil, sysexits.With(sysexits.Usage, errors.Join(err, made.Remove()))
		}
	}
	return made, nil
}

// claims asks for a token, which tells the one value that is easily mixed up and what is done already. That it
// can't be had is for the doctor to explain.
func (e *Env) claims(ctx context.Context, path string) xoauth.Claims {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	quiet := e.process("o365-sendmail")
	quiet.Stderr = io.Discard
	t, err := tokenAge{}.get(ctx, quiet, path)
	if err != nil {
		return xoauth.Claims{}
	}
	c, err := xoauth.ParseClaims(t.Access)
	if err != nil || !xoauth.IsGUID(c.OID) {
		return xoauth.Claims{}
	}
	return c
}

// tellSteps fills in what is to be done in the tenant.
func (e *Env) tellSteps(o *setupFlags, out *setupOutcome) {
	v := o.answers.Values()
	v.ObjectID, v.ClientID = out.ObjectID, first(v.ClientID, out.claims.AppID)
	v.SignedIn = out.ObjectID != ""
	v.Consented = out.claims.HasRole("SMTP.SendAsApp")
	if v.HVE {
		v.Consented = out.claims.HasRole("Mail.Send")
	}
	out.Warnings = setup.Warnings(&o.answers)
	kind := o.answers.Type
	out.Steps, out.Commands = setup.Steps(kind, v), setup.Commands(kind, v)
}

func (e *Env) printSteps(out *setupOutcome) {
	for _, w := range out.Warnings {
		e.warnf("o365-sendmail", "%s", w)
	}
	if out.claims.OID != "" {
		fmt.Fprint(e.Stdout, "\nEntra knows the application and takes its credential.\n")
	}
	if len(out.Steps) > 0 {
		fmt.Fprint(e.Stdout, "\nIn the tenant, what may be left to do:\n\n")
	}
	for i, s := range out.Steps {
		fmt.Fprintf(e.Stdout, "%d. %s\n", i+1, s)
	}
	fmt.Fprint(e.Stdout, "\nIn Exchange Online PowerShell (Install-Module ExchangeOnlineManagement), once:\n\n")
	for _, c := range out.Commands {
		fmt.Fprintln(e.Stdout, c)
	}
	fmt.Fprint(e.Stdout, "\nChanges take up to 2 hours. o365-sendmail setup --script FILE writes all of it as one script\n"+
		"for who administers the tenant, which may be run again and says what it finds.\n\n")
}

// checkSetup lets the doctor look, once the person has done what the script is for.
func (e *Env) checkSetup(ctx context.Context, o *setupFlags, term *setup.Terminal, out *setupOutcome) (int, error) {
	if o.noDoctor {
		if o.json {
			printJSON(e.Stdout, out)
		} else {
			fmt.Fprint(e.Stdout, host.Hint("next: sudo o365-sendmail doctor\n", e.UID))
		}
		return sysexits.OK, nil
	}
	if term != nil && !o.yes {
		to, err := term.Line(ctx, "When that is done: a test message goes to which address? ["+first(o.sendTo, o.answers.RootTo, "none")+"] > ")
		if err != nil {
			return sysexits.OK, nil // the configuration stands; the doctor can be called later
		}
		if o.sendTo = first(to, o.sendTo, o.answers.RootTo); o.sendTo != "" && checkAddress(o.sendTo) != nil {
			e.warnf("o365-sendmail", "%.128q is not an address: no message is sent", o.sendTo)
			o.sendTo = ""
		}
	}
	// Root's rights may have gone.
	now := *e
	now.UID = os.Geteuid()
	if o.json {
		out.Doctor = now.examine(ctx, doctorFlags{config: out.Path, json: true, sendTo: o.sendTo})
		printJSON(e.Stdout, out)
		return out.Doctor.Exit, nil
	}
	return now.runDoctor(ctx, doctorFlags{config: out.Path, sendTo: o.sendTo}), nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// signInPerson is the device code flow: the person enters a code in any browser.
func (e *Env) signInPerson(ctx context.Context, path string) error {
	cfg, err := e.process("o365-sendmail").LoadConfig(&cmdline.Options{Config: path})
	if err != nil {
		return err
	}
	store := assemble.RefreshTokenFile(cfg)
	own := []string{store}
	if _, err := os.Stat(filepath.Dir(store)); errors.Is(err, fs.ErrNotExist) {
		own = append(own, filepath.Dir(store))
	}
	d, err := assemble.SignIn(cfg, func(err error) { e.warnf("o365-sendmail", "%v", err) })
	if err != nil {
		return sysexits.With(sysexits.Config, err)
	}
	a, err := d.Begin(ctx)
	if err != nil {
		return err
	}
	// Standard output may be JSON.
	fmt.Fprintf(e.Stderr, "\nIn any browser, as who sends: open %s and enter the code %s\n", printable.Line(a.VerificationURI), printable.Line(a.UserCode))
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
