package doctor

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/setup"
)

// askAgent connects to the agent's socket, as sendmail does.
func (r *runner) askAgent(ctx context.Context, c *Check) {
	path := config.DefaultSocket
	if r.cfg != nil {
		path = r.cfg.Agent.Socket
	}
	path = cmp.Or(r.o.Socket, path)
	r.socket = path
	start := "sudo systemctl enable --now o365-sendmail.socket o365-sendmail.service"
	ctx, cancel := r.limit(ctx)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, syscall.ENOENT) && r.unseen != "":
		c.fail(Configuration, "agent-missing", "none at "+path+", and "+r.unseen+": this user can't send", start)
		return
	case errors.Is(err, syscall.ENOENT) && !r.install:
		c.ok("none at " + path + ": each sendmail delivers by itself")
		return
	case errors.Is(err, syscall.ENOENT):
		c.warn("agent-missing", "none at "+path+": only users who may read the configuration can send", start)
		return
	case errors.Is(err, syscall.EACCES):
		c.fail(Configuration, "agent-forbidden", fmt.Sprintf("%s may not connect to %s", r.o.User.Name, path), "sudo chmod 0666 "+path+", and look at the modes of its directory")
		return
	case err != nil:
		c.fail(Configuration, "agent-dead", "nobody answers at "+path+": "+err.Error(), start+"; journalctl -u o365-sendmail says why it ended")
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(r.o.Timeout))
	greeting, err := hello(conn)
	if err != nil {
		c.fail(Configuration, "agent-dead", "the agent at "+path+" does not answer: "+err.Error(), "sudo systemctl restart o365-sendmail; journalctl -u o365-sendmail")
		return
	}
	r.agent = true
	c.ok(path + " answers: " + greeting)
}

// hello says EHLO and QUIT, and returns the greeting.
func hello(conn net.Conn) (string, error) {
	d := &dialogue{conn: conn, br: bufio.NewReader(conn), timeout: time.Minute}
	greeting, err := d.read()
	if err != nil {
		return "", err
	}
	if greeting.Code != 220 {
		return "", errors.New(greeting.String())
	}
	if rep, err := d.cmd("EHLO localhost"); err != nil {
		return "", err
	} else if rep.Code != 250 {
		return "", errors.New(rep.String())
	}
	_, _ = d.cmd("QUIT")
	return greeting.String(), nil
}

// queue asks the agent what keeps mail back. Without an agent nothing is asked.
func (r *runner) queue(ctx context.Context) {
	if !r.agent {
		return
	}
	r.check("queue", nil, func(c *Check) {
		ctx, cancel := r.limit(ctx)
		defer cancel()
		q, err := control.Connect(ctx, control.SocketPath(r.socket))
		if err != nil {
			c.skip("the agent tells nothing of its queue: " + err.Error())
			return
		}
		defer q.Close()
		st, err := q.Status(ctx)
		if err != nil {
			c.skip("the agent tells nothing of its queue: " + err.Error())
			return
		}
		if r.older(c, st) {
			return
		}
		r.judgeQueue(c, st)
	})
}

// older reports, in c, an agent that works by an older state of the file that was read here.
func (r *runner) older(c *Check, st queueview.Status) bool {
	here, err := os.Stat(r.path)
	theirs, bad := os.Stat(st.Config)
	if r.cfg == nil || err != nil || bad != nil || !os.SameFile(here, theirs) || !here.ModTime().After(st.ConfigRead) {
		return false
	}
	c.warn("agent-older", "the agent has not read "+r.path+" since it changed: what it does may differ from what "+
		"is said here",
		"sudo systemctl reload o365-sendmail")
	return true
}

// keyHeld is the key of mail that waits for an administrator.
const keyHeld = "mail-held"

func (r *runner) judgeQueue(c *Check, st queueview.Status) {
	seen := "no mail is kept back"
	if st.Messages >= 0 {
		seen = fmt.Sprintf("%d messages, none kept back", st.Messages)
	}
	stops := slices.DeleteFunc(slices.Clone(st.Stops), func(s queueview.Stop) bool { return s.Users() })
	for _, a := range st.Alerts {
		if len(stops) == 0 && a.Kind != "expiry" { // a check of its own has that
			c.warn("queue-"+strings.TrimPrefix(a.Kind, "queue-"), a.Text, "sudo o365-sendmail queue list")
			return
		}
	}
	if len(stops) == 0 {
		c.ok(seen)
		return
	}
	s := stops[0]
	switch {
	case r.rep.first(Failed) != nil:
		c.skip("mail waits until the error above is fixed: " + s.Reason)
	case s.Hold:
		c.warn(keyHeld, "mail waits: "+s.Reason,
			"sudo o365-sendmail queue flush tries it now: nothing is wrong any more")
	case s.Key == diagnose.KeyThrottled || s.Outside:
		c.warn("mail-paused", "mail waits until "+s.Next.UTC().Format("Jan 2 15:04 MST")+": "+s.Reason,
			cmp.Or(s.Remedy, "wait: a flush does not go through this"))
	default:
		c.warn("mail-paused", "mail waits until "+s.Next.UTC().Format("15:04 MST")+": "+s.Reason,
			cmp.Or(s.Remedy, "wait; sudo o365-sendmail queue flush tries it now"))
	}
}

// spool looks at the queue's directory.
func (r *runner) spool(c *Check) {
	dir := r.cfg.Spool.Dir
	if dir == "" {
		c.ok("switched off: what can't be delivered at once is given back to the caller")
		return
	}
	var st syscall.Stat_t
	err := syscall.Stat(dir, &st)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.agent:
		c.ok(dir + " is not there, and no agent needs it: what can't be delivered at once is given back to the caller")
		return
	case errors.Is(err, fs.ErrNotExist):
		c.fail(Configuration, "spool-missing", dir+" does not exist", "sudo install -d -m 0700 -o "+config.ServiceUser+" -g "+config.ServiceUser+" "+dir)
		return
	case errors.Is(err, fs.ErrPermission):
		c.ok(dir + " can't be seen by " + r.o.User.Name + ", as it should be")
		return
	case err != nil:
		c.fail(Configuration, "spool-missing", dir+": "+err.Error(), "")
		return
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR || st.Mode&0o022 != 0 {
		c.fail(Configuration, "spool-mode", fmt.Sprintf("%s has mode %04o: others can write there", dir, st.Mode&0o7777), "sudo chmod 0700 "+dir)
		return
	}
	r.spoolSpace(c, dir)
}

func (r *runner) spoolSpace(c *Check, dir string) {
	var fsys syscall.Statfs_t
	if err := syscall.Statfs(dir, &fsys); err != nil {
		c.warn("spool-space", dir+": "+err.Error(), "")
		return
	}
	free := int64(fsys.Bavail) * int64(fsys.Bsize)
	seen := fmt.Sprintf("%s has %s free", dir, size(free))
	if free < r.cfg.Spool.KeepFree {
		c.fail(Configuration, "spool-full", seen+", less than spool.keep_free: no mail is accepted", "make room on the file system of "+dir+" (df -h "+dir+")")
		return
	}
	if free < 2*r.cfg.Spool.KeepFree {
		c.warn("spool-space", seen+"; below "+size(r.cfg.Spool.KeepFree)+" no mail is accepted", "make room on the file system of "+dir+" (df -h "+dir+")")
		return
	}
	c.ok(seen)
}

// aliases follows root's mail and every name in the alias file.
func (r *runner) aliases(c *Check) {
	var skipped []string
	in := intake.New(r.cfg, r.o.HostName, r.o.Now, func(s string) { skipped = append(skipped, s) })
	to, err := in.Resolve("root", false)
	if err != nil {
		c.fail(Configuration, "root-nowhere", "mail for root goes nowhere: "+err.Error(), `set root_to = "you@your-domain" in `+r.path)
		return
	}
	seen := "root -> " + strings.Join(to, ", ")
	names, err := r.aliasNames()
	if err != nil {
		c.warn("aliases-unreadable", seen+"; "+err.Error(), "correct "+r.cfg.AliasesFile)
		return
	}
	for _, n := range names {
		if _, err := in.Resolve(n, false); err != nil {
			c.warn("alias-nowhere", seen+"; mail for "+n+" goes nowhere: "+err.Error(), "correct the entry "+n+" in "+r.cfg.AliasesFile+" or [aliases]")
			return
		}
	}
	if len(skipped) > 0 {
		c.warn("alias-skipped", seen+"; "+skipped[0], "newaliases lists what is skipped in "+r.cfg.AliasesFile)
		return
	}
	c.ok(fmt.Sprintf("%s; %d other names lead somewhere", seen, len(names)))
}

func (r *runner) aliasNames() ([]string, error) {
	names := []string{}
	for n := range r.cfg.Aliases {
		names = append(names, n)
	}
	if r.cfg.AliasesFile == "" {
		return names, nil
	}
	t, err := intake.LoadAliases(r.cfg.AliasesFile)
	if err != nil {
		return names, err
	}
	return append(names, t.Names()...), nil
}

// domain looks whether a sender is below Microsoft's own domain, which has a small limit.
func (r *runner) domain(c *Check) {
	for _, address := range append([]string{r.cfg.Mailbox}, r.cfg.From.SendAs...) {
		if setup.BelowOnMicrosoft(address) {
			c.warn("onmicrosoft-sender", address+": "+setup.OnMicrosoftLimit, setup.OnMicrosoftRemedy)
			return
		}
	}
	c.ok("no sender is below onmicrosoft.com")
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%d MB", n/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
