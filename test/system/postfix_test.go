//go:build system

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/test/ready"
)

// A postfix is a real submission service: Postfix, which requires STARTTLS and
// asks a private Dovecot about XOAUTH2, on loopback ports above 1024.
type postfix struct {
	dir        string
	port       int // the service as it comes: CHUNKING, 8BITMIME, messages up to 200 MB
	plainPort  int // without CHUNKING and 8BITMIME
	narrowPort int // SIZE 1000000
	authority  *authority
	sink       *sink
	daemons    []*daemon
}

const narrowSize = 1000000

// newPostfix writes the configuration below dir, starts both daemons and waits
// until they answer.
func newPostfix(dir string, a *authority, s *sink) (*postfix, error) {
	p := &postfix{dir: dir, authority: a, sink: s,
		port: ready.Port(), plainPort: ready.Port(), narrowPort: ready.Port()}
	if err := p.startDovecot(); err != nil {
		return nil, fmt.Errorf("dovecot: %w", err)
	}
	if err := p.startPostfix(); err != nil {
		return nil, fmt.Errorf("postfix: %w", err)
	}
	return p, nil
}

func (p *postfix) stop() {
	for _, d := range p.daemons {
		d.stop()
	}
}

// What every Dovecot is told.
const dovecotCommon = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
protocols =
ssl = no
auth_mechanisms = xoauth2
auth_verbose = yes
auth_failure_delay = 0 secs
service auth {
  unix_listener %[1]s/auth {
    mode = 0600
    user = postfix
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0600
  }
}
`

// Debian 12's asks a passdb, which has a file of its own.
const dovecot23 = `
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = %[1]s/oauth2.conf
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
`

const oauth23 = `
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=%[1]s/keys/
issuers = %[2]s
username_attribute = email
username_format = %%Lu
`

// Debian 13's is of 2.4, whose first line has to be this one.
const dovecot24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
oauth2 {
  introspection_mode = local
  issuers = %[2]s
  username_attribute = email
  username_validation_format = %%{user | lower}
  oauth2_local_validation {
    dict fs {
      fs posix {
        prefix = %[1]s/keys/
      }
    }
  }
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = /nonexistent
  }
}
`

func (p *postfix) startDovecot() error {
	dir := filepath.Join(p.dir, "dovecot")
	// Dovecot reads the public key at AZP/ALG/KID below the prefix.
	keys := filepath.Join(dir, "keys", "default", "RS256")
	if err := os.MkdirAll(keys, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(keys, "lab"), p.authority.publicKeyPEM, 0o644); err != nil {
		return err
	}
	version, err := exec.Command("/usr/sbin/dovecot", "--version").Output()
	if err != nil {
		return err
	}
	issuer := "https://sts.windows.net/" + p.authority.tenant + "/"
	conf := fmt.Sprintf(dovecot24, dir, issuer)
	if strings.HasPrefix(string(version), "2.3.") {
		conf = fmt.Sprintf(dovecot23, dir)
		if err := os.WriteFile(filepath.Join(dir, "oauth2.conf"), fmt.Appendf(nil, oauth23, dir, issuer), 0o644); err != nil {
			return err
		}
	}
	conf += fmt.Sprintf(dovecotCommon, dir)
	file := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	d, err := startDaemon(filepath.Join(dir, "out"), "/usr/sbin/dovecot", "-F", "-c", file)
	if err != nil {
		return err
	}
	p.daemons = append(p.daemons, d)
	return d.until(10*time.Second, func() error {
		c, err := net.Dial("unix", filepath.Join(dir, "auth"))
		if err == nil {
			c.Close()
		}
		return err
	}, filepath.Join(dir, "log"))
}

// postfixServices are the lines of master.cf that every Postfix needs.
const postfixServices = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

func (p *postfix) startPostfix() error {
	dir := filepath.Join(p.dir, "postfix")
	conf, queue, data := filepath.Join(dir, "conf"), filepath.Join(dir, "queue"), filepath.Join(dir, "data")
	for _, d := range []string{conf, queue, data} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := chown(data, "postfix", "postfix"); err != nil {
		return err
	}
	main := fmt.Sprintf(`
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = smtp.lab.test
mydestination =
mynetworks =
inet_interfaces = loopback-only
inet_protocols = ipv4
smtputf8_enable = yes
alias_maps =
alias_database =
disable_dns_lookups = yes
default_transport = smtp
# One message stays one on the way to the sink.
relayhost = [127.0.0.1]:%[2]d
smtp_line_length_limit = 0
default_destination_recipient_limit = 0
smtp_connection_cache_on_demand = no
message_size_limit = 200000000
mailbox_size_limit = 0
# The message stays as it was sent: a header that we leave in must be seen.
message_drop_headers =
local_header_rewrite_clients =
remote_header_rewrite_domain =
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = %[3]s
smtpd_tls_key_file = %[4]s
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[5]s/dovecot/auth
smtpd_sasl_security_options = noanonymous
smtpd_sender_login_maps = inline:{ { %[6]s = %[6]s } }
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_client_connection_count_limit = 0
smtpd_client_restrictions =
smtpd_error_sleep_time = 0
smtpd_forbid_bare_newline = yes
line_length_limit = 12288
`, dir, p.sink.port, p.authority.certFile, p.authority.keyFile, p.dir, p.authority.mailbox)
	master := fmt.Sprintf(`
127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd
  -o smtpd_discard_ehlo_keywords=chunking,8bitmime,smtputf8
127.0.0.1:%d inet n - n - - smtpd
  -o message_size_limit=%d
`, p.port, p.plainPort, p.narrowPort, narrowSize) + postfixServices
	if err := os.WriteFile(filepath.Join(conf, "main.cf"), []byte(main), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf, "master.cf"), []byte(master), 0o644); err != nil {
		return err
	}
	d, err := startDaemon(filepath.Join(dir, "out"), "/usr/sbin/postfix", "-c", conf, "start-fg")
	if err != nil {
		return err
	}
	p.daemons = append(p.daemons, d)
	return d.until(20*time.Second, greets(p.port), filepath.Join(dir, "log"))
}

// greets returns a function that says why no SMTP server greets at a port of this host.
func greets(port int) func() error {
	return func() error {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		banner := make([]byte, 4)
		if _, err := c.Read(banner); err != nil || string(banner) != "220 " {
			return fmt.Errorf("banner %q: %w", banner, err)
		}
		return nil
	}
}

// A daemon is a child that serves in the foreground.
type daemon struct {
	cmd    *exec.Cmd
	name   string
	output string
	done   chan struct{}
	err    error
}

// startDaemon runs a command in a session of its own, with its output in a file.
func startDaemon(output string, argv ...string) (*daemon, error) {
	f, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := &daemon{cmd: exec.Command(argv[0], argv[1:]...), name: filepath.Base(argv[0]), output: output,
		done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = f, f
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	return d, nil
}

// until waits for ready to succeed, for at most limit. Its error carries the
// end of the daemon's output and logs.
func (d *daemon) until(limit time.Duration, ready func() error, logs ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-d.done:
			err = fmt.Errorf("ended: %w", errors.Join(d.err, err))
		case <-ctx.Done():
		}
		for _, file := range append(logs, d.output) {
			text, _ := os.ReadFile(file)
			err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(text[max(0, len(text)-3000):]))
		}
		return err
	}
}

// stop ends the daemon and its children, kindly first.
func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		<-d.done
	}
}

func chown(path, owner, group string) error {
	u, err := user.Lookup(owner)
	if err != nil {
		return err
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(g.Gid)
	return os.Chown(path, uid, gid)
}
