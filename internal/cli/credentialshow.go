package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// credentialView is what may be shown of a credential.
type credentialView struct {
	Type       string   `json:"type"`
	Files      []string `json:"files,omitempty"`
	Thumbprint string   `json:"thumbprint,omitempty"` // of a certificate, as the portal shows it
	Begins     string   `json:"begins,omitempty"`     // a date
	Expires    string   `json:"expires,omitempty"`    // a date; "" when nobody knows
	DaysLeft   *int     `json:"days_left,omitempty"`
	// Entra says what a test has shown: "accepted", "refused" or "unknown".
	Entra  string `json:"entra,omitempty"`
	Reason string `json:"reason,omitempty"`

	short, hint string // of Reason, for people
}

// credentialReport is what --json prints.
type credentialReport struct {
	Schema  int             `json:"schema"` // 1 as long as no field changes its meaning
	Config  string          `json:"config"`
	InForce *credentialView `json:"in_force"`
	Staged  *credentialView `json:"staged,omitempty"`
}

// show says what the application signs in with, until when, and what is staged.
func (c *credential) show() (int, error) {
	r, err := c.report()
	if err != nil {
		return 0, err
	}
	c.print(r)
	return sysexits.OK, nil
}

// test asks Entra for a token with each credential, and changes nothing. Its exit code is that of the staged one, if
// there is one, else of the one in force.
func (c *credential) test(ctx context.Context) (int, error) {
	r, err := c.report()
	if err != nil {
		return 0, err
	}
	_, err = c.account().trial(ctx, c.config)
	r.InForce.judge(err)
	if r.Staged != nil {
		a, bad := c.staged()
		if bad != nil {
			return 0, bad
		}
		_, err = c.try(ctx, a)
		r.Staged.judge(err)
	}
	c.print(r)
	switch {
	case err == nil:
		return sysexits.OK, nil
	case unreachable(err):
		return sysexits.TempFail, nil
	}
	return sysexits.Config, nil
}

func (v *credentialView) judge(err error) {
	switch {
	case err == nil:
		v.Entra = "accepted"
		return
	case refusal(err):
		v.Entra = "refused"
	default:
		v.Entra = "unknown"
	}
	v.Reason, v.short = err.Error(), err.Error()
	var e *xoauth.Error
	if errors.As(err, &e) && e.AADSTS != 0 {
		code := "AADSTS" + strconv.Itoa(e.AADSTS)
		if cause, _, ok := xoauth.Explain(code, e.Description); ok {
			v.short, v.hint = cause+" ("+code+")", e.Advice()
		}
	}
}

// report looks at the credentials without asking anybody.
func (c *credential) report() (r *credentialReport, err error) {
	r = &credentialReport{Schema: 1, Config: c.path}
	if r.InForce, err = c.view(c.config); err != nil {
		return nil, err
	}
	a, err := c.staged()
	if a == nil || err != nil {
		return r, err
	}
	r.Staged, err = c.viewOf(a)
	return r, err
}

// viewOf looks at a credential that is not in force.
func (c *credential) viewOf(a *setup.Answers) (v *credentialView, err error) {
	file := *c.file
	file.Check = c.account().checkFile(func(cfg *config.Config) error {
		v, err = c.view(cfg)
		return err
	})
	return v, c.account().checkText(&file, a)
}

func (c *credential) view(cfg *config.Config) (*credentialView, error) {
	life, err := assemble.CredentialLife(cfg)
	if err != nil {
		return nil, sysexits.With(sysexits.Config, err)
	}
	k := &cfg.Credential
	v := &credentialView{Type: k.Type, Thumbprint: life.Thumbprint}
	for _, f := range []string{cfg.ClientSecretFile, k.CertificateFile, k.KeyFile, k.PFXFile, k.TokenFile} {
		if f != "" && (len(v.Files) == 0 || v.Files[len(v.Files)-1] != f) {
			v.Files = append(v.Files, f)
		}
	}
	if !life.Begins.IsZero() {
		v.Begins = life.Begins.UTC().Format(time.DateOnly)
	}
	if !life.Ends.IsZero() {
		left := daysLeft(life.Ends, c.env.Now())
		v.Expires, v.DaysLeft = life.Ends.UTC().Format(time.DateOnly), &left
	}
	return v, nil
}

func (c *credential) print(r *credentialReport) {
	if c.json {
		printJSON(c.env.Stdout, r)
		return
	}
	c.line("in force", r.InForce.String())
	if r.Staged == nil {
		c.line("staged", "none")
		return
	}
	c.line("staged", r.Staged.String())
}

func (v *credentialView) String() string {
	names := map[string]string{setup.TypeSecret: "client secret", setup.TypeFederated: "federated token",
		setup.TypeIdentity: "managed identity", setup.TypeDevice: "a person's sign-in"}
	s := cmp.Or(names[v.Type], v.Type)
	if len(v.Files) > 0 {
		s += " in " + strings.Join(v.Files, ", ")
	}
	if v.Thumbprint != "" {
		s += ", thumbprint " + v.Thumbprint
	}
	switch {
	case v.DaysLeft != nil && *v.DaysLeft < 0:
		s += ", expired on " + v.Expires
	case v.DaysLeft != nil:
		s += fmt.Sprintf(", expires on %s, in %d days", v.Expires, *v.DaysLeft)
	case v.Type == setup.TypeSecret:
		s += ", nobody has noted when it expires (secret_expires)"
	}
	switch v.Entra {
	case "accepted":
		s += ": Entra accepts it"
	case "refused":
		s += ": refused, " + v.short
	case "unknown":
		s += ": not known, " + v.short
	}
	if v.hint != "" {
		s += "\n          hint: " + v.hint
	}
	return s
}
