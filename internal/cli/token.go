package cli

import (
	"context"
	"errors"
	stdflag "flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// tokenView is what may be shown of a token.
type tokenView struct {
	Schema    int       `json:"schema"`
	Expires   time.Time `json:"expires"`
	ExpiresIn int       `json:"expires_in"` // seconds
	RefreshAt time.Time `json:"refresh_at,omitzero"`
	Audience  []string  `json:"aud,omitempty"`
	Issuer    string    `json:"iss,omitempty"`
	Tenant    string    `json:"tid,omitempty"`
	AppID     string    `json:"appid,omitempty"`
	ObjectID  string    `json:"oid,omitempty"`
	IDType    string    `json:"idtyp,omitempty"`
	Roles     []string  `json:"roles"`
	Scopes    []string  `json:"scp,omitempty"`
	UPN       string    `json:"upn,omitempty"`
	NotBefore time.Time `json:"nbf,omitzero"`
	IssuedAt  time.Time `json:"iat,omitzero"`
	UTI       string    `json:"uti,omitempty"`
	// Unreadable says why there are no claims.
	Unreadable string `json:"unreadable,omitempty"`
}

// tokenCommand prints what an access token says of itself, or the token for a program
// that signs in by itself.
func (e *Env) tokenCommand(ctx context.Context, args []string) int {
	var raw, asJSON, refresh bool
	var path string
	var older time.Duration
	most := deliver.AnyAge
	f := newVerbFlags("token", "[--raw] [--refresh | --refresh-if-older AGE] [--json] [-C FILE]")
	f.StringVar(&path, "C", "", "use the configuration `FILE`")
	f.BoolVar(&raw, "raw", false, "print the token itself and nothing else, as a token command of msmtp, mutt or curl")
	f.BoolVar(&refresh, "refresh", false, "get a new token first")
	f.DurationVar(&older, "refresh-if-older", 0,
		"get a new token if the one in the cache is older than `AGE`, such as 5m:\n"+
			"                             for a program that can't say that the server has refused its token")
	f.BoolVar(&asJSON, "json", false, "print the claims as JSON")
	if _, err := f.parse(args, 0); err != nil {
		return e.failVerb(f, err)
	}
	if raw && asJSON {
		return e.fail("o365-sendmail", cmdline.Usagef("token: --raw and --json exclude each other"))
	}
	aged := false
	f.Visit(func(fl *stdflag.Flag) { aged = aged || fl.Name == "refresh-if-older" })
	switch {
	case aged && (older <= 0 || refresh):
		return e.fail("o365-sendmail", cmdline.Usagef(
			"token: --refresh-if-older takes a time above 0, and --refresh needs none"))
	case refresh:
		most = 0
	case aged:
		most = older
	}
	t, err := getToken(ctx, e.process("o365-sendmail"), path, most)
	if err != nil {
		return e.fail("o365-sendmail", err)
	}
	if n := assemble.TokenLength(t); n > longToken {
		e.warnf("o365-sendmail", "the token has %d characters: "+
			"msmtp and Exim can't use more than about %d, neomutt about 4000", n, longToken)
	}
	switch {
	case raw:
		if err := assemble.WriteToken(e.Stdout, t); err != nil {
			return e.fail("o365-sendmail", sysexits.With(sysexits.IOErr, fmt.Errorf("the token can't be written: %w", err)))
		}
	case asJSON:
		printJSON(e.Stdout, viewToken(t, e.Now()))
	default:
		printToken(e.Stdout, viewToken(t, e.Now()))
	}
	return sysexits.OK
}

// longToken is the length in characters up to which every program that is known takes a token: msmtp 1.8 has
// room for 4,094 characters of base64 with the mailbox in it and ends with exit code 65, Exim 4.96 ignores
// what is longer.
const longToken = 3000

// getToken gets a token by the configuration, with the caller's rights, else from the agent, if this user is in
// agent.token_group.
func getToken(ctx context.Context, p *direct.Process, path string, most time.Duration) (xoauth.Token, error) {
	t, err := ownToken(ctx, p, path, most)
	named := path != "" || p.Getenv(config.EnvPath) != ""
	if named || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, direct.ErrNoConfig) {
		return t, err
	}
	socket := p.AgentSocket()
	agent, absent := control.Connect(ctx, control.SocketPath(socket))
	if absent != nil {
		return t, noAgentForToken(err, socket)
	}
	defer agent.Close()
	t, refused := agent.Token(ctx, most)
	if sysexits.Code(refused, 0) == sysexits.NoPerm {
		return t, sysexits.With(sysexits.NoPerm,
			fmt.Errorf("%w; %w; to send mail use sendmail: the agent takes it from every user", err, refused))
	}
	return t, refused
}

// noAgentForToken says what a user without a configuration needs for a token.
func noAgentForToken(err error, socket string) error {
	if dir, failed := os.Stat(filepath.Dir(socket)); failed != nil || !dir.IsDir() {
		return err
	}
	return sysexits.With(sysexits.TempFail, fmt.Errorf("%w; the agent, which gives tokens to agent.token_group, "+
		"is stopped; start it: %s", err, host.StartAgent))
}

// ownToken gives up root's rights for the network.
func ownToken(ctx context.Context, p *direct.Process, path string, most time.Duration) (xoauth.Token, error) {
	cfg, err := p.LoadConfig(&cmdline.Options{Config: path})
	if err != nil {
		return xoauth.Token{}, err
	}
	account, err := assemble.Account(cfg, assemble.Options{
		HostName: host.Name(), Getenv: p.Getenv, Now: p.Now, Warn: p.Warn,
	})
	if err != nil {
		return xoauth.Token{}, err
	}
	if err := p.DropRootFor(cfg.Cache.Dir); err != nil {
		return xoauth.Token{}, err
	}
	defer assemble.Wait(account, direct.RefreshWait)
	return account.TokenWithin(ctx, most)
}

func viewToken(t xoauth.Token, now time.Time) tokenView {
	v := tokenView{Schema: 1, Expires: t.Expiry.UTC().Truncate(time.Second),
		ExpiresIn: int(t.Expiry.Sub(now).Seconds()), Roles: []string{}}
	if !t.RefreshAt.IsZero() {
		v.RefreshAt = t.RefreshAt.UTC().Truncate(time.Second)
	}
	c, err := xoauth.ParseClaims(t.Access)
	if err != nil {
		v.Unreadable = err.Error()
		return v
	}
	v.Audience, v.Issuer, v.Tenant, v.AppID, v.ObjectID, v.IDType = c.Aud, c.Iss, c.TID, c.AppID, c.OID, c.IDTyp
	v.Roles, v.Scopes, v.UPN, v.UTI = slices.Concat(v.Roles, c.Roles), c.Scp, c.UPN, c.UTI
	v.NotBefore, v.IssuedAt = utc(c.Nbf), utc(c.Iat)
	return v
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func printToken(w io.Writer, v tokenView) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-8s %s\n", name, printable.Line(value))
		}
	}
	line("expires", fmt.Sprintf("%s, in %s", v.Expires.Format(time.RFC3339), (time.Duration(v.ExpiresIn)*time.Second).String()))
	if v.Unreadable != "" {
		line("claims", "none: "+v.Unreadable)
		return
	}
	line("aud", strings.Join(v.Audience, " "))
	line("iss", v.Issuer)
	line("tid", v.Tenant)
	line("appid", v.AppID)
	line("oid", v.ObjectID)
	line("idtyp", v.IDType)
	roles := strings.Join(v.Roles, " ")
	if roles == "" && len(v.Scopes) == 0 {
		roles = "none: right only with Exchange's role \"Application SMTP.SendAsApp\", and never for High Volume Email"
	}
	line("roles", roles)
	line("scp", strings.Join(v.Scopes, " "))
	line("upn", v.UPN)
	if !v.NotBefore.IsZero() {
		line("nbf", v.NotBefore.Format(time.RFC3339))
	}
	line("uti", v.UTI)
}
