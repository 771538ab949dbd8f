//go:build system

package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// relayLab is a relay with its emulator in one network namespace, and a host in another.
type relayLab struct {
	t               *testing.T
	dir             string
	relayNS, hostNS string
	emulator        *emulatorProcess
	relay           *daemon
}

const relayAddress = "10.211.7.1"

// sh runs commands in a directory and returns what they print.
func (l *relayLab) sh(script string) string {
	l.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// printed are the commands of docs/relay.md below a mark.
func printed(t *testing.T, mark string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(lab.root, "docs", "relay.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- commands: " + mark + " -->\n```sh\n(.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatalf("docs/relay.md has no commands %q", mark)
	}
	return string(m[1])
}

func newRelayLab(t *testing.T) *relayLab {
	l := &relayLab{t: t, dir: filepath.Join(lab.work, "relay"), relayNS: "o365relay", hostNS: "o365host"}
	if err := os.MkdirAll(filepath.Join(l.dir, "m365"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.sh(`mkdir -p /run/netns
ip netns add o365relay; ip netns add o365host
ip link add o365r type veth peer name o365h
ip link set o365r netns o365relay; ip link set o365h netns o365host
ip -n o365relay addr add ` + relayAddress + `/24 dev o365r; ip -n o365host addr add 10.211.7.2/24 dev o365h
for n in relay host; do ip -n o365$n link set lo up; done
ip -n o365relay link set o365r up; ip -n o365host link set o365h up`)
	t.Cleanup(func() { l.sh("ip netns del o365relay; ip netns del o365host") })
	l.sh(printed(t, "certificates"))
	inRelay := filepath.Join(l.dir, "m365-emulator")
	l.write("m365-emulator", "#!/bin/sh\nexec ip netns exec o365relay "+filepath.Join(lab.root, "bin", "m365-emulator")+
		" \"$@\"\n", 0o755)
	var err error
	if l.emulator, err = startEmulator(filepath.Join(l.dir, "m365"), inRelay); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.emulator.daemon.stop)
	l.write("relay.toml", l.emulator.settings(l.dir+"/relay-cache")+fmt.Sprintf("\n[log]\nto = %q\n[spool]\ndir = %q\n"+
		"keep_free = \"0B\"\n[agent]\nsocket = %q\nlisten = \"[::]:1587\"\nallow_remote = true\ntls_cert_file = %q\n"+
		"tls_key_file = %q\nclient_ca_file = %q\n[delivery]\nwait = \"2s\"\n", l.dir+"/relay.log", l.dir+"/relay-spool", l.dir+"/relay-run/s",
		l.dir+"/relay.pem", l.dir+"/relay.key", l.dir+"/ca.pem"), 0o600)
	l.host("kept", "spool")
	l.host("bare", "")
	l.start()
	return l
}

func (l *relayLab) write(name, text string, mode os.FileMode) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), mode); err != nil {
		l.t.Fatal(err)
	}
}

// host writes a configuration of a host.
func (l *relayLab) host(name, spool string) {
	if spool != "" {
		spool = l.dir + "/" + name + "-" + spool
	}
	l.write(name+".toml", fmt.Sprintf("kind = \"relay\"\nmailbox = %q\nroot_to = %[1]q\naliases_file = \"\"\n[smtp]\nhost = %q\nport = 1587\n"+
		"server_name = \"relay.example.org\"\ntimeout = \"3s\"\n[tls]\nca_file = %q\n[credential]\ncertificate_file = %q\n"+
		"key_file = %q\n[cache]\ndir = %q\n[log]\nto = %q\n[spool]\ndir = %q\nkeep_free = \"0B\"\n[agent]\nsocket = %q\n"+
		"[delivery]\nwait = \"5s\"\n", l.emulator.mailbox(), relayAddress, l.dir+"/ca.pem", l.dir+"/web1.pem", l.dir+"/web1.key",
		l.dir+"/"+name+"-cache", l.dir+"/"+name+".log", spool, l.dir+"/"+name+"-run/s"), 0o600)
}

// start runs the relay.
func (l *relayLab) start() {
	l.t.Helper()
	verbs := filepath.Join(filepath.Dir(lab.program), "o365-sendmail")
	var err error
	l.relay, err = startDaemon(filepath.Join(l.dir, "relay.out"), "/usr/sbin/ip", "netns", "exec", l.relayNS, verbs,
		"serve", "-C", l.dir+"/relay.toml")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(l.relay.stop)
	if err := l.relay.until(20*time.Second, func() error {
		_, err := l.try("bash", "-c", "exec 3<>/dev/tcp/"+relayAddress+"/1587")
		return err
	}, l.dir+"/relay.log"); err != nil {
		l.t.Fatal(err)
	}
}

// try runs a command of the host.
func (l *relayLab) try(argv ...string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "/usr/sbin/ip", append([]string{"netns", "exec", l.hostNS}, argv...)...)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// send hands a message in on the host, and wants an exit code and words.
func (l *relayLab) send(config, subject string, code int, words ...string) {
	l.t.Helper()
	cmd := exec.Command("/usr/sbin/ip", "netns", "exec", l.hostNS, lab.program, "-C", l.dir+"/"+config+".toml",
		"someone@example.org")
	cmd.Stdin = strings.NewReader("Subject: " + subject + "\n\n" + subject + "\n")
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		l.t.Errorf("%s by %s: exit code %d, want %d: %s", subject, config, got, code, out)
	}
	for _, w := range words {
		if !strings.Contains(string(out), w) {
			l.t.Errorf("%s by %s: no %q in %s", subject, config, w, out)
		}
	}
}

// arrives waits until a message has come, once.
func (l *relayLab) arrives(subject string) {
	l.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if all, err := l.emulator.arrived(ctx, subject, 1); err != nil || len(all) != 1 {
		log, _ := os.ReadFile(l.dir + "/relay.log")
		l.t.Errorf("%s: %d came, %v\n%s", subject, len(all), err, log)
	}
}

// flush has the host with a spool try what it keeps.
func (l *relayLab) flush() {
	l.t.Helper()
	if out, err := l.try(lab.program, "-C", l.dir+"/kept.toml", "-q"); err != nil {
		l.t.Logf("sendmail -q: %v: %s", err, out)
	}
}

// doctor asks the doctor about the bare host.
func (l *relayLab) doctor() string {
	verbs := filepath.Join(filepath.Dir(lab.program), "o365-sendmail")
	out, _ := l.try(verbs, "doctor", "--verbose", "-C", l.dir+"/bare.toml")
	return out
}

// TestRelay sends from a host by a relay, with the certificates that docs/relay.md makes, and breaks the way between
// them as its table says.
func TestRelay(t *testing.T) {
	l := newRelayLab(t)
	link := func(state string) { l.sh("ip -n o365host link set o365h " + state) }
	certificate := func(days, usage string) {
		l.sh(strings.NewReplacer("-days 365", "-days "+days, "clientAuth", usage).Replace(
			strings.Split(strings.ReplaceAll(printed(t, "certificates"), "\\\n", ""), "\n")[2]))
	}
	hangUp := func(want string) {
		log := func() string { text, _ := os.ReadFile(l.dir + "/relay.log"); return string(text) }
		before := strings.Count(log(), want)
		if err := l.relay.cmd.Process.Signal(syscall.SIGHUP); err != nil { // ip turns into the relay
			t.Fatal(err)
		}
		if err := l.relay.until(20*time.Second, func() error {
			if strings.Count(log(), want) == before {
				return fmt.Errorf("the relay does not say %q", want)
			}
			return nil
		}, l.dir+"/relay.log"); err != nil {
			t.Fatal(err)
		}
	}

	l.send("bare", "rlymsg0", 0)
	l.send("kept", "rlymsg1", 0)
	l.arrives("rlymsg0")
	l.arrives("rlymsg1")
	seen := l.doctor()
	for _, want := range []string{"the relay takes this host's certificate", "the client certificate expires on ",
		"nothing was sent"} {
		if !strings.Contains(seen, want) {
			t.Errorf("doctor: no %q in\n%s", want, seen)
		}
	}
	if strings.Contains(seen, "login") || strings.Contains(seen, "token") || strings.Contains(seen, "Entra") {
		t.Errorf("doctor looks for an account\n%s", seen)
	}

	link("down")
	l.send("bare", "rlymsg-cut", 75, relayAddress)
	l.send("kept", "rlymsg2", 0)
	link("up")
	l.flush()
	l.arrives("rlymsg2")

	if err := l.relay.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-l.relay.done
	l.send("bare", "rlymsg-gone", 75)
	l.send("kept", "rlymsg3", 0)
	l.start()
	l.flush()
	l.arrives("rlymsg3")

	// The relay keeps what Exchange does not take in time.
	if err := l.emulator.daemon.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.send("bare", "rlymsg-late", 0)
	if err := l.emulator.daemon.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.arrives("rlymsg-late")
	l.sh("sed 's,^ca_file.*,ca_file = \"" + l.dir + "/m365/ca.pem\",' bare.toml >other.toml; chmod 600 other.toml")
	l.send("other", "rlymsg-foreign", 78, "certificate signed by unknown authority")

	// Others without a good certificate.
	out, _ := l.try("sh", "-c", "printf 'EHLO x\\r\\nMAIL FROM:<a@example.org>\\r\\nQUIT\\r\\n' | timeout 5 bash -c "+
		"'exec 3<>/dev/tcp/"+relayAddress+"/1587; cat >&3; cat <&3'")
	if !strings.Contains(out, "530 5.7.0") {
		t.Errorf("in the clear: %s", out)
	}
	tls := "openssl s_client -quiet -ign_eof -starttls smtp -connect " + relayAddress + ":1587 -CAfile ca.pem "
	out, _ = l.try("sh", "-c", "printf 'EHLO x\\r\\n' | timeout 5 "+tls)
	if !strings.Contains(out, "421 4.7.0 no client certificate was sent") {
		t.Errorf("without a certificate: %s", out)
	}
	// Renegotiation is what s_client asks for by R; it is refused, and the relay goes on.
	out, _ = l.try("sh", "-c", "(sleep 1; echo R; sleep 1) | timeout 5 openssl s_client -tls1_2 -starttls smtp -connect "+
		relayAddress+":1587 -CAfile ca.pem -cert web1.pem -key web1.key")
	if !strings.Contains(out, "RENEGOTIATING") || !strings.Contains(out, "alert unexpected message") {
		t.Errorf("renegotiation: %s", out)
	}
	l.send("bare", "rlymsg4", 0)
	l.arrives("rlymsg4")

	// A revoked certificate, and the next one.
	l.sh(printed(t, "revocation"))
	l.sh("echo 'client_crl_file = \"" + l.dir + "/clients.crl\"' >crl.line; sed -i '/^client_ca_file/r crl.line' relay.toml")
	hangUp("the configuration was read again")
	l.send("bare", "rlymsg-revoked", 78, "does not take this host's certificate", "web1.example.org was revoked on")
	l.send("kept", "rlymsg5", 0)
	if seen := l.doctor(); !strings.Contains(seen, "was revoked on") {
		t.Errorf("doctor\n%s", seen)
	}
	certificate("365", "clientAuth")
	l.flush()
	l.arrives("rlymsg5")

	// One that is not for clients.
	certificate("365", "serverAuth")
	l.send("bare", "rlymsg-server", 78, "is not for clients")
	certificate("365", "clientAuth")
	l.sh("cp relay.pem good.pem; cp ca.pem relay.pem") // a certificate without its key
	hangUp("stay in force")
	l.send("bare", "rlymsg6", 0)
	l.arrives("rlymsg6")
	log, _ := os.ReadFile(l.dir + "/relay.log")
	for _, want := range []string{"stay in force", "client=10.211.7.2, status=refused", "user=cert:web1.example.org"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("no %q in the relay's log\n%s", want, log)
		}
	}
	for _, lost := range []string{"rlymsg-cut", "rlymsg-gone", "rlymsg-revoked", "rlymsg-server",
		"rlymsg-foreign"} {
		if all, _ := l.emulator.messages(lost); len(all) > 0 {
			t.Errorf("%s was refused and arrived", lost)
		}
	}
}
