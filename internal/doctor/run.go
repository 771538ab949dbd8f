package doctor

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/setup"
	"o365-sendmail/xoauth"
)

// Options say what to check, and with whose eyes.
type Options struct {
	// Config is the file that was named (-C), "" to look for it.
	Config string
	Getenv func(string) string
	// User is the caller.
	User     host.User
	HostName string
	Version  string
	Now      func() time.Time
	// Way is how the application may send: diagnose.WayAPI, diagnose.WayScoped or, for what the configuration
	// says, "". A token can't tell a missing consent from the other way.
	Way string
	// Tenant is the report of the script that set the tenant up; nil without one.
	Tenant *Tenant
	// Other is a second mailbox that the application may use: whether it can sign in
	// tells trouble of the mailbox from trouble of the application.
	Other string
	// Strict makes warnings count in the exit code.
	Strict bool
	// Drop gives up root's rights once the files are read; may be nil.
	Drop func() error
	// SendTo gets a real message by Send when both are set. Send returns the server's words.
	SendTo string
	Send   func(ctx context.Context, from, to string) (words string, err error)
	// Progress gets each check as it is done; may be nil.
	Progress func(Check)

	// Socket is where the agent listens; "" is where the configuration says.
	Socket string
	// load stands in for the configuration's loader in tests.
	load func(path string) (*config.Config, error)

	// Timeout bounds each step on the network; 0 means 15 s. Exchange Online takes 7 s to
	// refuse a sign-in.
	Timeout time.Duration
	// LookupNetIP and DialContext stand in for the system's.
	LookupNetIP func(ctx context.Context, network, host string) ([]netip.Addr, error)
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// runner is a run under way, with what the checks so far have found.
type runner struct {
	o   Options
	rep *Report

	path    string
	cfg     *config.Config // nil when it can't be read
	unseen  string         // why the configuration can't be read, when that is no fault
	account *deliver.Account
	cloud   xoauth.Cloud
	socket  string
	agent   bool // it answers
	install bool // the service user exists

	openID *openID
	skew   time.Duration // the server's clock minus ours
	tenant string        // id of the tenant, as the server tells it
	token  xoauth.Token
	claims xoauth.Claims

	// told is how many checks Progress has got; holdBack keeps those that may change.
	told     int
	holdBack bool

	spreading bool // a change in Exchange works at every other sign-in

	addrs map[string][]netip.Addr // by prefix of the check
	alive map[string]string       // an address that took a connection
	talk  *dialogue
	size  int64 // of the SIZE extension
}

// Run makes all checks and reports.
func Run(ctx context.Context, o Options) *Report {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.LookupNetIP == nil {
		o.LookupNetIP = net.DefaultResolver.LookupNetIP
	}
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{}).DialContext
	}
	if o.load == nil {
		o.load = config.Loader{Getenv: o.Getenv}.Load
	}
	r := &runner{o: o, addrs: map[string][]netip.Addr{}, alive: map[string]string{}}
	r.rep = &Report{Schema: 1, Version: o.Version, Platform: runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version(), Time: o.Now().UTC().Truncate(time.Second), User: o.User.Name}
	r.cloud, _ = xoauth.LookupCloud("")
	_, r.install = host.UserByName(config.ServiceUser)
	r.local(ctx)
	if o.Drop != nil {
		if err := o.Drop(); err != nil {
			r.check("rights", nil, func(c *Check) { c.fail(Configuration, "rights", err.Error(), "") })
		}
	}
	r.entra(ctx)
	r.exchange(ctx)
	r.queue(ctx)
	r.rep.finish(o.Strict, host.Hint(r.idle(), o.User.UID))
	return r.rep
}

// check makes a check unless one that it needs is broken or was skipped.
func (r *runner) check(name string, needs []string, f func(*Check)) *Check {
	return r.checkAbout(name, "", needs, f)
}

func (r *runner) checkAbout(name, about string, needs []string, f func(*Check)) *Check {
	c := Check{Name: name, About: about}
	if why := r.missing(needs); why != "" {
		c.skip(why)
	} else {
		f(&c)
		c.Hint = host.Hint(c.Hint, r.o.User.UID)
	}
	r.rep.Checks = append(r.rep.Checks, c)
	if !r.holdBack {
		r.tell()
	}
	return &r.rep.Checks[len(r.rep.Checks)-1]
}

// tell hands over the checks that nothing changes any more.
func (r *runner) tell() {
	for ; r.told < len(r.rep.Checks); r.told++ {
		if r.o.Progress != nil {
			r.o.Progress(r.rep.Checks[r.told])
		}
	}
}

// missing says why a check can't be made, "" if it can. A broken need is named rather
// than one that was itself skipped.
func (r *runner) missing(needs []string) string {
	why := ""
	for _, c := range r.rep.Checks {
		if c.About != "" || !slices.Contains(needs, c.Name) {
			continue
		}
		switch {
		case c.Status == Failed:
			return "needs " + c.Name
		case c.Status == Skipped && why == "":
			why = c.Seen
		}
	}
	return why
}

// known is the need of checks that go to hosts which the configuration chooses. Who may
// not read it sees the way to the worldwide cloud; a broken one has to be fixed first.
func (r *runner) known() []string {
	if r.unseen != "" {
		return nil
	}
	return []string{"configuration"}
}

// limit bounds one step.
func (r *runner) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.o.Timeout)
}

// way is how the application may send, "" when nobody has told.
func (r *runner) way() string {
	way := r.o.Way
	if way == "" && r.cfg != nil {
		way = r.cfg.Way
	}
	return r.kind().Way(way)
}

// kind is what the account is.
func (r *runner) kind() *account.Kind {
	if r.cfg == nil {
		return account.Of(account.Mailbox)
	}
	return account.Of(r.cfg.Kind)
}

func (r *runner) mailbox() string {
	if r.cfg == nil {
		return ""
	}
	return r.cfg.Mailbox
}

// values fill the administrator's commands with what is known.
func (r *runner) values() setup.Values {
	v := setup.Values{Cloud: r.cloud.Name, ObjectID: r.claims.OID, Way: r.way()}
	if r.cfg != nil {
		v.HVE = r.kind().Name == account.HVE
		v.Tenant, v.ClientID, v.Mailbox = r.cfg.Tenant, cmp.Or(r.claims.AppID, r.cfg.ClientID), r.cfg.Mailbox
	}
	return v
}

// idle is what to do next when nothing is wrong.
func (r *runner) idle() string {
	switch {
	case r.cfg == nil && r.agent:
		return "nothing to do for this user; sudo o365-sendmail doctor sees the rest"
	case r.cfg == nil:
		return "sudo o365-sendmail doctor"
	case r.o.SendTo == "" || r.o.Send == nil:
		return "nothing is wrong; permission on the mailbox shows only in a real message: " +
			"o365-sendmail doctor --send-to " + cmp.Or(r.cfg.RootTo, r.cfg.AlertTo, "ADDRESS")
	}
	return "nothing to do"
}

// roots loads the authorities that servers are verified against.
func (r *runner) roots(c *Check) {
	file := ""
	if r.cfg != nil {
		file = r.cfg.TLS.CAFile
	}
	if _, err := assemble.Roots(file); err != nil {
		hint := "sudo apt-get install ca-certificates"
		if file != "" {
			hint = "set tls.ca_file in " + r.path + " to a PEM file, or remove it for the system's own"
		}
		c.fail(Configuration, "roots", err.Error(), hint)
		return
	}
	c.ok(cmp.Or(file, "the system's certificate authorities") + " can be read")
}
