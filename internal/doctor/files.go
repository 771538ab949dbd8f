package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/xoauth"
)

// local checks what is on this machine.
func (r *runner) local(ctx context.Context) {
	r.check("configuration", nil, r.configuration)
	r.check("file-modes", []string{"configuration"}, r.fileModes)
	r.check("credential", []string{"configuration"}, r.credential)
	r.check("expiry", []string{"configuration", "credential"}, r.expiry)
	if r.cfg != nil && r.cfg.Agent.TLSCertFile != "" {
		r.check("listener", []string{"configuration"}, r.listener)
	}
	r.check("agent", nil, func(c *Check) { r.askAgent(ctx, c) })
	r.check("spool", []string{"configuration"}, r.spool)
	r.check("aliases", []string{"configuration"}, r.aliases)
	r.check("alerts", []string{"configuration"}, r.alerts)
	r.check("domain", []string{"configuration"}, r.domain)
	if r.agent && r.cfg != nil && r.cfg.Agent.MetricsFile != "" {
		r.check("metrics", []string{"configuration"}, r.metrics)
	}
	if r.agent && r.cfg != nil && r.cfg.Agent.MetricsListen != "" {
		r.check("metrics-port", []string{"configuration"}, func(c *Check) { r.metricsPort(ctx, c) })
	}
	if r.cfg != nil && len(r.cfg.Fleet.Servers) > 0 {
		r.check("fleet", []string{"configuration"}, func(c *Check) { r.fleet(ctx, c) })
	}
}

func (r *runner) configuration(c *Check) {
	path, tried := config.Find(r.o.Config, r.o.Getenv, r.o.User.Home)
	if r.path = path; path == "" {
		c.fail(Configuration, "config-missing", "there is none: looked for "+strings.Join(tried, ", "), "sudo o365-sendmail setup")
		return
	}
	cfg, err := r.o.load(path)
	var faults config.Errors
	switch {
	case err == nil:
		r.cfg = cfg
		r.cloud, _ = xoauth.LookupCloud(cfg.Cloud)
		if len(cfg.Ignored) > 0 {
			c.warn("config-ignored", cfg.Ignored.Error(), fixHint(cfg.Ignored[0]))
			return
		}
		if len(cfg.Warnings) > 0 {
			c.warn("config-warning", cfg.Warnings[0].Error(),
				cmp.Or(cfg.Warnings[0].Hint, "o365-sendmail config check"))
			return
		}
		c.ok(path + " is read and valid")
	case errors.Is(err, fs.ErrPermission):
		r.unseen = fmt.Sprintf("%s can't be read by %s: the secret in it is not for everybody", path, r.o.User.Name)
		c.skip(r.unseen)
	case errors.Is(err, fs.ErrNotExist):
		c.fail(Configuration, "config-missing", err.Error(), "sudo o365-sendmail setup")
	case errors.As(err, &faults) && len(faults) > 0:
		hint := fixHint(faults[0])
		if len(faults) > 1 {
			hint += "; o365-sendmail config check lists every fault"
		}
		c.fail(Configuration, "config-fault", strings.TrimSuffix(err.Error(), "; "+faults[0].Hint), hint)
	default:
		c.fail(Configuration, "config-fault", err.Error(), "o365-sendmail config check")
	}
}

// fixHint says how to fix a fault of the file.
func fixHint(f *config.Error) string {
	switch {
	case f.Hint != "":
		return f.Hint
	case f.Suggestion != "":
		return "write " + f.Suggestion + " in place of " + f.Key + " in " + f.File
	case f.Expected != "":
		return "set " + f.Key + " in " + f.File + ": " + f.Expected
	}
	return "correct " + f.Key + " in " + f.File
}

// fileModes looks at who can read what. That nobody else can write has been judged when
// the file was read.
func (r *runner) fileModes(c *Check) {
	var seen []string
	files := []string{r.path}
	for _, f := range []string{r.cfg.ClientSecretFile, r.cfg.SecondSecretFile, r.cfg.Credential.KeyFile, r.cfg.Credential.CertificateFile, r.cfg.Credential.PFXFile, r.cfg.Credential.PassphraseFile} {
		if f != "" && !strings.HasPrefix(f, "credential:") {
			files = append(files, f)
		}
	}
	service, isUser := host.UserByName(config.ServiceUser)
	for _, f := range files {
		fi, err := os.Stat(f)
		if err != nil {
			continue // the check of the credential tells
		}
		st := fi.Sys().(*syscall.Stat_t)
		seen = append(seen, fmt.Sprintf("%s is %04o %s:%d", f, fi.Mode().Perm(), host.UserByID(int(st.Uid)).Name, st.Gid))
		if isUser && f == r.path && strings.HasPrefix(f, "/etc/") && !readableBy(st, service) {
			c.fail(Configuration, "file-unreadable-service", seen[len(seen)-1]+", which the service user "+config.ServiceUser+" can't read",
				fmt.Sprintf("sudo chown root:%s %s && sudo chmod 0640 %s", config.ServiceUser, f, f))
			return
		}
	}
	c.ok(strings.Join(seen, "; "))
}

func readableBy(st *syscall.Stat_t, u host.User) bool {
	switch {
	case int(st.Uid) == u.UID:
		return st.Mode&0o400 != 0
	case int(st.Gid) == u.GID:
		return st.Mode&0o040 != 0
	}
	return st.Mode&0o004 != 0
}

func (r *runner) credential(c *Check) {
	a, err := assemble.Account(r.cfg, assemble.Options{HostName: r.o.HostName, Getenv: r.o.Getenv, Now: r.o.Now})
	if err != nil {
		c.fail(Configuration, "credential", err.Error(), "correct the credential in "+r.path+", or run sudo o365-sendmail setup again")
		return
	}
	r.account = a
	name := credentialName(r.cfg.Credential.Type)
	if r.relayed() {
		name = "certificate with its key, for the relay,"
	}
	c.ok("a " + name + " can be read")
}

func credentialName(kind string) string {
	switch kind {
	case config.TypeCertificate:
		return "certificate with its key"
	case config.TypeFederated:
		return "federated token"
	case config.TypeManagedIdentity:
		return "managed identity's endpoint"
	case config.TypeDeviceCode:
		return "person's sign-in"
	}
	return "client secret"
}

// expiry looks at the days that the credential has left.
func (r *runner) expiry(c *Check) {
	life, err := assemble.CredentialLife(r.cfg)
	switch {
	case err != nil:
		c.fail(Configuration, "credential", err.Error(), "")
	case life.What == "":
		c.ok("nothing that expires on a known day")
	case life.Ends.IsZero():
		c.warn("expiry-unknown", "it is not known when the client secret expires, so no warning comes before that day",
			"set secret_expires in "+r.path+" to the date in Entra admin center > App registrations > your app > Certificates & secrets")
	default:
		r.judgeLife(c, life, r.renewal())
	}
}

// listener looks at the certificate that other hosts see.
func (r *runner) listener(c *Check) {
	const renew = "put a new one and its key at agent.tls_cert_file and tls_key_file: the agent reads them when they change"
	life, err := assemble.ListenerLife(r.cfg)
	if err != nil {
		c.fail(Configuration, "listener", err.Error(), renew)
		return
	}
	r.judgeLife(c, life, renew)
}

// renewal says how the credential is replaced.
func (r *runner) renewal() string {
	if r.relayed() {
		return "get a new one from the relay's authority, put it and its key at credential.certificate_file and " +
			"key_file, and run sudo o365-sendmail config reload"
	}
	return setup.Renewal(r.cfg.Credential.Type, r.values())
}

func (r *runner) judgeLife(c *Check, life assemble.Life, renew string) {
	now := r.o.Now()
	days := int(life.Ends.Sub(now) / (24 * time.Hour))
	switch {
	case !life.Ends.After(now):
		c.fail(Configuration, "expired", fmt.Sprintf("%s ended on %s", life.What, life.Ends.Format(time.DateOnly)),
			renew)
	case life.Begins.After(now):
		c.fail(Configuration, "not-yet-valid", fmt.Sprintf("%s is valid from %s only", life.What,
			life.Begins.Format(time.RFC3339)),
			"see that this machine's clock is right (timedatectl); else "+renew)
	case life.EndsSoon(now):
		c.warn("expires-soon", fmt.Sprintf("%s expires on %s, in %d days", life.What, life.Ends.Format(time.DateOnly),
			days), renew)
	default:
		c.ok(fmt.Sprintf("%s expires on %s, in %d days", life.What, life.Ends.Format(time.DateOnly), days))
	}
}
