package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postfix is Debian's Postfix. It knows no tokens and signs in by AUTH LOGIN, and it always
// queues: what its caller waits for is the queue, and its daemons do the rest.
type postfix struct {
	*jail
	b       *bench
	message []byte // a queue file of it, to fill queues with
}

// postfixReuse lets it do what it can: one connection for many messages, and as many
// connections as the relay allows. Without it, it opens a connection for each message.
const postfixReuse = "smtp_tls_connection_reuse = yes\nsmtp_destination_concurrency_limit = " +
	"3\ninitial_destination_concurrency = 3\n"

const postfixMain = `compatibility_level = 3.6
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
myhostname = client.bench.test
myorigin = client.bench.test
mydestination =
alias_maps =
alias_database =
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [%[1]s]:%[2]d
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = %[1]s
smtp_tls_CAfile = /etc/ca.pem
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/etc/postfix/password
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = login
message_size_limit = 0
mailbox_size_limit = 0
`

// postfixMaster is the Debian master.cf, less the server, with nothing in a chroot.
const postfixMaster = `pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
tlsproxy  unix  -       -       n       -       0       tlsproxy
postlog   unix-dgram n  -       n       -       1       postlogd
`

// peerPostfix prepares Postfix on the first call, nil if it can't be had.
func (b *bench) peerPostfix() (*postfix, error) {
	if b.postfix != nil {
		return b.postfix, nil
	}
	j, err := b.jail("postfix", "postfix")
	if j == nil || err != nil {
		return nil, err
	}
	p := &postfix{jail: j, b: b}
	err = errors.Join(
		p.mkdir("etc/postfix", 0, 0, 0o755), p.mkdir("var/lib/postfix", jailUser, jailUser, 0o755),
		p.write("etc/postfix/master.cf", 0o644, "%s", postfixMaster),
		p.write("etc/postfix/password", 0o600, "%s %s:%s\n", b.emulator.SMTPHost, from, password),
	)
	b.postfix = p
	return p, err
}

func (p *postfix) queue(name ...string) string {
	return filepath.Join(append([]string{p.dir, "var/spool/postfix"}, name...)...)
}

// clean makes the queue's directories again, as post-install does.
func (p *postfix) clean() error {
	errs := []error{os.RemoveAll(p.queue()), p.mkdir("var/spool/postfix", 0, 0, 0o755),
		p.mkdir("var/spool/postfix/pid", 0, 0, 0o755)}
	for _, d := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
		"private", "saved", "trace"} {
		errs = append(errs, p.mkdir("var/spool/postfix/"+d, jailUser, 0, 0o700))
	}
	return errors.Join(append(errs,
		p.mkdir("var/spool/postfix/maildrop", jailUser, jailGroup, 0o1730),
		p.mkdir("var/spool/postfix/public", jailUser, jailGroup, 0o710),
	)...)
}

// start starts the daemons with an empty queue.
func (p *postfix) start(rtt time.Duration, more string) (*daemon, error) {
	err := errors.Join(p.clean(), p.write("etc/postfix/main.cf", 0o644, postfixMain+"%[3]s", p.b.emulator.SMTPHost,
		p.b.port(rtt), more))
	if err != nil {
		return nil, err
	}
	d, err := startDaemon(p.program("/usr/lib/postfix/sbin/master"))
	if err != nil {
		return nil, fmt.Errorf("postfix: %w", err)
	}
	err = eventually("Postfix's queue manager", func() bool {
		_, err := os.Stat(p.queue("public/qmgr"))
		_, err2 := os.Stat(p.queue("public/pickup"))
		return err == nil && err2 == nil
	})
	if err != nil {
		return nil, errors.Join(err, p.stop(d))
	}
	return d, nil
}

// stop ends the daemons. The master passes the signal on to its group and dies of it.
func (p *postfix) stop(d *daemon) error {
	group := d.cmd.Process.Pid
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
	err := eventually("the end of Postfix's daemons", func() bool { return !living(group) })
	_ = syscall.Kill(-group, syscall.SIGKILL)
	return err
}

func (p *postfix) sendmail() []string {
	return []string{p.program("/usr/sbin/sendmail"), "-i", "-f", from, to}
}

// fill defers n messages, which nothing but a flush touches. They are copies of one that
// went the usual way: a queue file does not know its name.
func (p *postfix) fill(n int) error {
	for i := range n {
		id := fmt.Sprintf("%05X%05X", i*2099%(1<<20), i+1<<12)
		dir := "var/spool/postfix/deferred/" + id[:1]
		if err := p.mkdir(dir, jailUser, jailUser, 0o700); err != nil {
			return err
		}
		path := filepath.Join(p.dir, dir, id)
		if err := errors.Join(os.WriteFile(path, p.message, 0o700), os.Chown(path, jailUser, jailUser)); err != nil {
			return err
		}
	}
	return nil
}

// sample takes the queue file of one message.
func (p *postfix) sample() error {
	if p.message != nil {
		return nil
	}
	d, err := p.start(0, "defer_transports = smtp\n")
	if err != nil {
		return err
	}
	_, err = once(p.b.message, p.sendmail()...)
	if err == nil {
		err = eventually("a deferred message of Postfix", func() bool {
			_ = filepath.WalkDir(p.queue("deferred"), func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					p.message, _ = os.ReadFile(path)
				}
				return nil
			})
			return len(p.message) > 0
		})
	}
	return errors.Join(err, p.stop(d))
}

// drain flushes n deferred messages.
func (p *postfix) drain(rtt time.Duration, n int, more string) (e emptied, err error) {
	if err := p.sample(); err != nil {
		return e, err
	}
	d, err := p.start(rtt, more)
	if err != nil {
		return e, err
	}
	// One message before the others: when it has come, the queue manager is past its first
	// look at the queue.
	p.b.reset()
	if _, err = once(p.b.message, p.sendmail()...); err == nil {
		err = p.b.arrived(1, 10*time.Second)
	}
	if err == nil {
		err = p.fill(n)
	}
	if err != nil {
		return e, errors.Join(err, p.stop(d))
	}
	p.b.reset()
	before, begun := cpuOf(d.cmd.Process.Pid), time.Now()
	if e.cost, err = once("/dev/null", p.program("/usr/sbin/postqueue"), "-f"); err == nil {
		have, last := p.b.settled(n)
		e.rate = float64(have) / last.Sub(begun).Seconds()
		e.cpu += cpuOf(d.cmd.Process.Pid) - before
		p.b.tally(&e)
	}
	return e, errors.Join(err, p.stop(d))
}

// living reports whether a process of a group runs; those that nobody has waited for don't.
func living(group int) bool {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" {
			return true
		}
	}
	return false
}
