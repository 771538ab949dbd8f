package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// newCertificate makes a pair, stages it, and on a terminal waits for its upload and switches to it.
func (c *credential) newCertificate(ctx context.Context) (int, error) {
	e := c.env
	a, err := c.candidate(setup.Answers{Type: setup.TypeCertificate, NewCertificate: true, CertDays: c.days})
	if err != nil {
		return 0, err
	}
	a.Default()
	c.file.PlanCertificate(a)
	made, err := c.file.MakeCertificate(a, host.Name())
	if err != nil {
		return 0, explainWrite(a.KeyFile, err)
	}
	if err := c.file.Stage(a); err != nil {
		return 0, explainWrite(c.file.StagedPath(), errors.Join(err, made.Remove()))
	}
	e.showCertificate(made, a.ClientID)
	if c.term == nil || c.noWait {
		fmt.Fprint(e.Stdout, host.Hint("The present credential stays in force. When the certificate is uploaded:\n"+
			"sudo o365-sendmail credential promote\n", e.UID))
		return sysexits.OK, nil
	}
	if _, err := c.term.Line(ctx, "When it is uploaded, press Enter.\n> "); err != nil {
		return 0, sysexits.With(sysexits.Usage, fmt.Errorf("the present credential stays in force; when the "+
			"certificate "+
			"is uploaded: %s", host.Hint("sudo o365-sendmail credential promote", e.UID)))
	}
	return c.promote(ctx)
}

// showCertificate says what to upload, and where.
func (e *Env) showCertificate(made *setup.NewCertificate, clientID string) {
	fmt.Fprintf(e.Stdout, "\nThe private key is %s and stays here.\n"+
		"The certificate is %s (thumbprint %s, until %s):\n\n%s\n"+
		"Upload it: Entra admin center > App registrations > %s > Certificates & secrets > Certificates > "+
		"Upload certificate\n",
		made.KeyFile, made.File, made.Thumbprint, made.Expires, made.PEM, cmp.Or(clientID, "your app"))
}

// setSecret switches to a new client secret once Entra has taken it.
func (c *credential) setSecret(ctx context.Context) (int, error) {
	if c.answers.CertFile+c.answers.KeyFile+c.answers.PFXFile != "" {
		return 0, cmdline.Usagef("credential: set-secret takes a client secret; stage takes a certificate")
	}
	secret, err := c.readNew(ctx)
	if err != nil {
		return 0, err
	}
	a, err := c.candidate(setup.Answers{Type: setup.TypeSecret, Secret: secret, SecretExpires: c.answers.SecretExpires})
	if err != nil {
		return 0, err
	}
	return c.switchTo(ctx, a)
}

// readNew reads the new secret: from a file, from who types it unseen, or from standard input.
func (c *credential) readNew(ctx context.Context) (xoauth.Secret, error) {
	switch {
	case c.secretFile != "":
		f, err := openNamed(ctx, "--file", c.secretFile)
		if err != nil {
			return xoauth.Secret{}, err
		}
		defer f.Close()
		return readSecret(f, "credential: "+c.secretFile)
	case c.term == nil:
		return readSecret(c.env.Stdin, "credential: standard input")
	}
	text, err := c.term.Secret(ctx, "The new secret's Value (it is not shown while you type)\n> ")
	if err != nil {
		return xoauth.Secret{}, sysexits.With(sysexits.Usage, err)
	}
	return readSecret(strings.NewReader(text), "credential")
}

// stage keeps a new credential beside the one in force, and says what Entra makes of it.
func (c *credential) stage(ctx context.Context) (int, error) {
	a, isCertificate := c.answers, c.answers.CertFile+c.answers.KeyFile+c.answers.PFXFile != ""
	if isCertificate {
		a.Type = setup.TypeCertificate
		if a.CertFile+a.PFXFile == "" {
			return 0, cmdline.Usagef("credential: stage needs --certificate-file beside --key-file")
		}
	} else {
		secret, err := c.readNew(ctx)
		if err != nil {
			return 0, err
		}
		a.Type, a.Secret = setup.TypeSecret, secret
	}
	whole, err := c.candidate(a)
	if err != nil {
		return 0, err
	}
	_, tried := c.try(ctx, whole)
	if tried != nil && !refusal(tried) && !unreachable(tried) {
		return 0, tried // it can't be read
	}
	v, err := c.viewOf(whole)
	if err != nil {
		return 0, err
	}
	if v.DaysLeft != nil && *v.DaysLeft < 0 {
		return 0, sysexits.With(sysexits.Config, fmt.Errorf("nothing was staged: the %s expired on %s; "+
			"make a new one: %s", v.Type, v.Expires, host.Hint("sudo o365-sendmail credential new-certificate", c.env.UID)))
	}
	if err := c.file.Stage(whole); err != nil {
		return 0, explainWrite(c.file.StagedPath(), err)
	}
	fmt.Fprintf(c.env.Stdout, "%s holds it; the present credential stays in force\n", c.file.StagedPath())
	v.judge(tried)
	c.line("staged", v.String())
	next := "next: "
	switch {
	case refusal(tried) && isCertificate:
		next += "upload the certificate in Entra, then: "
	case refusal(tried):
		fmt.Fprint(c.env.Stdout, host.Hint(next+"give the right Value to: sudo o365-sendmail credential stage\n", c.env.UID))
		return sysexits.OK, nil
	}
	fmt.Fprint(c.env.Stdout, host.Hint(next+"sudo o365-sendmail credential promote\n", c.env.UID))
	return sysexits.OK, nil
}

// promote switches to the staged credential once Entra has taken it.
func (c *credential) promote(ctx context.Context) (int, error) {
	a, err := c.staged()
	if err != nil {
		return 0, err
	}
	if a == nil {
		return 0, sysexits.With(sysexits.NoInput, errors.New("no credential is staged: o365-sendmail credential "+
			"new-certificate, set-secret or stage"))
	}
	code, err := c.switchTo(ctx, a)
	if err == nil {
		err = c.file.Unstage()
	}
	return code, err
}

// try asks Entra for a token with a credential on top of the present configuration, and changes nothing.
func (c *credential) try(ctx context.Context, a *setup.Answers) (token xoauth.Token, err error) {
	file := *c.file
	file.Check = c.account().checkFile(func(cfg *config.Config) (err error) {
		token, err = c.account().trial(ctx, cfg)
		return err
	})
	return token, c.account().checkText(&file, a)
}

// switchTo tests a credential and puts it in force; the agent has read it when this returns.
func (c *credential) switchTo(ctx context.Context, a *setup.Answers) (int, error) {
	e := c.env
	for {
		_, err := c.try(ctx, a)
		if err == nil {
			break
		}
		if !c.again(ctx, err) {
			return 0, unchanged(err)
		}
	}
	c.line("new", "Entra accepts it")
	// The file that holds the secret is its place; the configuration goes on naming it.
	if present := c.account().presentAnswers(); !a.Secret.Empty() && strings.HasPrefix(present.SecretFile, "/") {
		if err := setup.ReplaceSecret(present.SecretFile, a.Secret); err != nil {
			return 0, explainWrite(present.SecretFile, err)
		}
		a.Secret, a.SecretFile = xoauth.Secret{}, present.SecretFile
		if a.SecretExpires == "" { // the date is the old one's
			a.Set = append(a.Set, setup.Change{Key: "secret_expires"})
		}
		fmt.Fprintf(e.Stdout, "%s holds the new secret\n", present.SecretFile)
	}
	w, err := c.file.Write(a)
	if err != nil {
		return 0, explainWrite(c.path, err)
	}
	if w.Changed {
		fmt.Fprintf(e.Stdout, "%s names it (mode %s; the old one is %s)\n", w.Path, w.Mode, w.Backup)
	}
	if said := e.reloadAgent(ctx, c.path); said != "" {
		fmt.Fprintln(e.Stdout, said)
	}
	fmt.Fprint(e.Stdout, host.Hint("delete the old one in Entra: App registrations > "+cmp.Or(a.ClientID, "your app")+
		" > Certificates & secrets\nnext: sudo o365-sendmail doctor\n", e.UID))
	return sysexits.OK, nil
}

// again asks a person whether to try once more: an upload takes a moment to be known.
func (c *credential) again(ctx context.Context, err error) bool {
	if c.term == nil || !refusal(err) && !unreachable(err) {
		return false
	}
	fmt.Fprintf(c.env.Stdout, "not yet: %v\n", err)
	yes, stop := c.term.Confirm(ctx, "Try again?")
	return stop == nil && yes
}

// unchanged is the error of a switch that was not made.
func unchanged(err error) error {
	code := sysexits.Config
	if unreachable(err) {
		code = sysexits.TempFail
	}
	return sysexits.With(sysexits.Code(err, code), fmt.Errorf("nothing was changed: %w", err))
}

// unreachable reports whether Entra could not be asked, or said that it can't answer now.
func unreachable(err error) bool {
	var e *xoauth.Error
	return errors.As(err, &e) && !refusal(err)
}

func (c *credential) line(what, said string) { fmt.Fprintf(c.env.Stdout, "%-9s %s\n", what+":", said) }

// daysLeft are whole ones, negative after the end.
func daysLeft(end, now time.Time) int { return int(end.Sub(now) / (24 * time.Hour)) }
