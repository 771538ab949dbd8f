package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// exim is the call of Exim with XOAUTH2 that ends when the message is with the relay; nil
// where it can't be had.
func (b *bench) exim(rtt time.Duration) ([]string, error) {
	if b.eximJail == nil {
		j, err := b.jail("exim", "Debian-exim")
		if j == nil || err != nil {
			return nil, err
		}
		b.eximJail = j
		token, err := os.ReadFile(b.tokenFile)
		if err := errors.Join(err, j.mkdir("var/spool/exim4", jailUser, jailUser, 0o755),
			j.mkdir("var/log/exim4", jailUser, jailUser, 0o755),
			j.write("etc/token", 0o644, "%s", token)); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf("etc/exim-%d.conf", rtt.Milliseconds())
	err := b.eximJail.write(config, 0o644, eximConfig, b.emulator.SMTPHost, b.port(rtt), from)
	return []string{b.eximJail.program("/usr/sbin/exim4"), "-C", "/" + config, "-odf", "-i", "-f", from, to}, err
}

const eximConfig = `primary_hostname = client.bench.test
qualify_domain = client.bench.test
domainlist local_domains =
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
exim_user = Debian-exim
exim_group = Debian-exim
message_size_limit = 200M
local_interfaces = <; 127.0.0.1
tls_advertise_hosts =
acl_not_smtp = accept
begin routers
smarthost:
  driver = manualroute
  route_list = * %[1]s byname
  transport = smarthost
  self = send
  no_more
begin transports
smarthost:
  driver = smtp
  port = %[2]d
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates = /etc/ca.pem
  tls_verify_hosts = *
begin retry
* * F,2h,15m
begin authenticators
xoauth2:
  driver = plaintext
  public_name = XOAUTH2
  client_send = "user=%[3]s\001auth=Bearer ${readfile{/etc/token}{}}\001\001"
`

// curl is the call of curl with XOAUTH2: no mailer, but what scripts use instead of one.
func (b *bench) curl(rtt time.Duration) ([]string, error) {
	const program = "/usr/bin/curl"
	if _, err := os.Stat(program); err != nil {
		return nil, nil
	}
	token, err := os.ReadFile(b.tokenFile)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, fmt.Sprintf("curlrc-%d", rtt.Milliseconds()))
	return []string{program, "-q", "-K", config}, os.WriteFile(config, fmt.Appendf(nil, `silent
show-error
url = "smtp://%s:%d"
ssl-reqd
cacert = %q
mail-from = %q
mail-rcpt = %q
upload-file = "-"
crlf
user = %[4]q
oauth2-bearer = %[6]q
login-options = "AUTH=XOAUTH2"
`, b.emulator.SMTPHost, b.port(rtt), b.caFile, from, to, string(token[:len(token)-1])), 0o600)
}

// directPeers are those that deliver one message, and Postfix, which does so by itself
// after its caller has gone. stop ends what had to be started.
func (b *bench) directPeers(rtt time.Duration) (all []*contestant, stop func() error, err error) {
	for _, p := range []struct {
		name string
		call func(time.Duration) ([]string, error)
	}{{"msmtp", b.msmtp}, {"exim", b.exim}, {"curl, which is no mailer", b.curl}} {
		argv, err := p.call(rtt)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if argv != nil {
			all = append(all, &contestant{name: p.name, argv: argv, sends: true})
		}
	}
	p, err := b.peerPostfix()
	if p == nil || err != nil {
		return all, func() error { return nil }, err
	}
	d, err := p.start(rtt, "")
	if err != nil {
		return nil, nil, err
	}
	c := &contestant{name: "Postfix, until the relay has it", argv: p.sendmail(), pid: d.cmd.Process.Pid, sends: true,
		untilRelayed: true}
	return append(all, c), func() error { return p.stop(d) }, nil
}

// drainPeers flushes Postfix's queue, once each.
func (b *bench) drainPeers(rtt time.Duration, row func(string, emptied)) error {
	p, err := b.peerPostfix()
	if p == nil || err != nil {
		return err
	}
	for _, way := range []struct{ name, settings string }{{"Postfix", ""},
		{"Postfix, its connections reused", postfixReuse}} {
		e, err := p.drain(rtt, b.messages, way.settings)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		if e.arrived < b.messages {
			way.name += fmt.Sprintf(": %d at once, the others later", e.arrived)
		}
		row(way.name, e)
	}
	return nil
}

// burstPeers is the same crowd before Postfix.
func (b *bench) burstPeers(t *table, yardstick time.Duration) error {
	p, err := b.peerPostfix()
	if p == nil || err != nil {
		return err
	}
	for _, way := range []struct{ name, settings string }{{"Postfix", ""},
		{"Postfix, its connections reused", postfixReuse}} {
		d, err := p.start(b.rtt, way.settings)
		if err != nil {
			return err
		}
		_, err = b.crowd(t, way.name, yardstick, p.sendmail())
		if err := errors.Join(err, p.stop(d)); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	return nil
}

// absent names the peers that this run leaves out.
func (b *bench) absent() (names []string) {
	for _, p := range []struct{ name, program string }{
		{"Postfix", "postfix/usr/sbin/sendmail"}, {"Exim", "exim/usr/sbin/exim4"},
		{"nullmailer", "nullmailer/usr/bin/nullmailer-inject"}, {"dma", "dma/usr/sbin/dma"},
	} {
		if _, err := os.Stat(filepath.Join(b.peers, p.program)); err != nil || !isolated() {
			names = append(names, p.name)
		}
	}
	for _, name := range []string{"msmtp", "curl"} {
		if _, err := os.Stat("/usr/bin/" + name); err != nil {
			names = append(names, name)
		}
	}
	return names
}
