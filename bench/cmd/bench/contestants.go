package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// site is a configuration of the program in a directory of its own.
type site struct {
	b       *bench
	dir     string
	config  string
	program string // the binary under its own name, so that it takes sub-commands
}

// options of a site, as TOML lines by table.
type tables map[string][]string

// site writes a configuration for the relay at the distance rtt.
func (b *bench) site(name string, rtt time.Duration, extra tables) (*site, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	s := &site{b: b, dir: dir, config: filepath.Join(dir, "config.toml"), program: filepath.Join(dir, "o365-sendmail")}
	t := tables{
		"smtp":     {fmt.Sprintf("host = %q", b.emulator.SMTPHost), fmt.Sprintf("port = %d", b.port(rtt))},
		"token":    {fmt.Sprintf("url = %q", b.emulator.TokenURL())},
		"tls":      {fmt.Sprintf("ca_file = %q", b.caFile)},
		"cache":    {fmt.Sprintf("dir = %q", filepath.Join(dir, "cache"))},
		"spool":    {fmt.Sprintf("dir = %q", s.spool()), "max_messages_per_user = 0"},
		"delivery": {"messages_per_minute = 0", "recipients_per_day = 0"},
		"log":      {`to = "stderr"`},
	}
	for k, lines := range extra {
		t[k] = append(t[k], lines...)
	}
	var out strings.Builder
	for _, kv := range [][2]string{
		{"tenant", b.emulator.Tenant}, {"client_id", b.emulator.ClientID}, {"client_secret", b.emulator.ClientSecret},
		{"mailbox", from}, {"root_to", b.emulator.RootTo}, {"aliases_file", ""},
	} {
		fmt.Fprintf(&out, "%s = %q\n", kv[0], kv[1])
	}
	for _, name := range []string{"smtp", "token", "tls", "cache", "spool", "agent", "delivery", "log"} {
		if len(t[name]) > 0 {
			fmt.Fprintf(&out, "[%s]\n%s\n", name, strings.Join(t[name], "\n"))
		}
	}
	if err := os.WriteFile(s.config, []byte(out.String()), 0o600); err != nil {
		return nil, err
	}
	return s, os.Symlink(b.ours, s.program)
}

func (s *site) spool() string { return filepath.Join(s.dir, "spool") }

// sendmail is the call of a mailer's caller.
func (s *site) sendmail(flags ...string) []string {
	return append(s.ours(append([]string{"-i"}, flags...)...), "-f", from, to)
}

// variable names the configuration to a process.
const variable = "O365_SENDMAIL_CONFIG="

// ours is a call of the program with the site's configuration, whoever makes it.
func (s *site) ours(args ...string) []string {
	return append([]string{variable + s.config, s.b.ours}, args...)
}

// floorArgs is the yardstick for the relay at the distance rtt.
func (b *bench) floorArgs(rtt time.Duration, more ...string) []string {
	return append([]string{
		b.floor, "-addr", b.emulator.SMTPHost + ":" + strconv.Itoa(b.port(rtt)), "-user", from, "-from", from, "-to",
		to,
		"-token-file", b.tokenFile, "-ca-file", b.caFile,
	}, more...)
}

// leastArgs is the yardstick with nothing but the one authority that it needs.
func (b *bench) leastArgs(rtt time.Duration) []string {
	return append(b.floorArgs(rtt), "-ca-file", b.emulator.CAFile(), to)
}

// msmtp is the call of msmtp with XOAUTH2, nil where it is not installed.
func (b *bench) msmtp(rtt time.Duration) ([]string, error) {
	const program = "/usr/bin/msmtp"
	if _, err := os.Stat(program); err != nil {
		return nil, nil
	}
	config := filepath.Join(b.dir, fmt.Sprintf("msmtprc-%d", rtt.Milliseconds()))
	return []string{program, "-C", config, "-f", from, to}, os.WriteFile(config, fmt.Appendf(nil,
		"account default\nhost %s\nport %d\nfrom %s\ntls on\ntls_starttls on\ntls_trust_file %s\nauth xoauth2\nuser "+
			"%s\npasswordeval cat %s\n",
		b.emulator.SMTPHost, b.port(rtt), from, b.caFile, from, b.tokenFile), 0o600)
}

// peer is the path of a program in an unpacked peer, "" if there is none.
func (b *bench) peer(name, program string) string {
	path := filepath.Join(b.peers, name, program)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// nullmailer is the call of nullmailer-inject with its queue in the run's directory.
func (b *bench) nullmailer() ([]string, error) {
	program := b.peer("nullmailer", "usr/bin/nullmailer-inject")
	if program == "" || !isolated() {
		return nil, nil
	}
	root, err := b.folder("nullmailer")
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"spool/queue", "spool/tmp"} {
		path := filepath.Join(root, d)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, 0o777)); err != nil { // it is setuid
			return nil, err
		}
	}
	// inject looks for the rest of itself below this prefix, the rest for the queue at its usual place.
	err = errors.Join(
		os.Symlink(filepath.Join(b.peers, "nullmailer/usr/sbin"), filepath.Join(root, "sbin")),
		b.mountAt(filepath.Join(root, "spool"), "/var/spool/nullmailer"),
	)
	return []string{"/usr/bin/env", "NULLMAILER_TEST_PREFIX=" + root, program, "-a", "-f", from, to}, err
}

// dma is the call of the DragonFly mail agent, which only queues.
func (b *bench) dma() ([]string, error) {
	program := b.peer("dma", "usr/sbin/dma")
	if program == "" || !isolated() {
		return nil, nil
	}
	etc, err := b.folder("dma-etc")
	if err != nil {
		return nil, err
	}
	spool, err := b.folder("dma-spool")
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(etc, "dma.conf"), []byte("SMARTHOST localhost\nDEFER\nMAILNAME bench.test\n"),
			0o644),
		os.Chmod(etc, 0o755), os.Chmod(spool, 0o777),
		b.mountAt(etc, "/etc/dma"), b.mountAt(spool, "/var/spool/dma"),
	} {
		if err != nil {
			return nil, err
		}
	}
	return []string{program, "-i", "-f", from, to}, nil
}

// mountAt shows a directory at a place that may have to be made, until the run's end.
func (b *bench) mountAt(source, target string) error {
	made := os.Mkdir(target, 0o755) == nil
	if err := over(source, target); err != nil {
		return err
	}
	b.undo = append(b.undo, func() {
		if syscall.Unmount(target, 0) == nil && made {
			_ = os.Remove(target)
		}
	})
	return nil
}
