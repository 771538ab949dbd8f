//go:build callers

package callers

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/emulator"
)

// peers are the mailers that import reads, with their Debian packages and how many messages of each go to a recipient
// on their own: dma makes one for each.
var peers = []struct {
	name, packages string
	apart          bool
}{
	{"nullmailer", "nullmailer", false},
	{"msmtp", "msmtp msmtp-mta", false},
	{"ssmtp", "ssmtp", false},
	{"dma", "dma", true},
	{"exim4", "exim4-daemon-light exim4-config", false},
	{"postfix", "postfix", false},
}

// TestImportPeers: what the packaged mailers have in their files and queues comes over, once and whole, however often
// the import is killed and run again, and their files stay as they are.
func TestImportPeers(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			root := debian(t, "peer-"+p.name, strings.Fields(p.packages)...)
			shared := t.TempDir()
			must(t, os.Chmod(shared, 0o755))
			e := emulator.New(quiet{t}, func(o *emulator.Options) { o.KeepBodies = true; o.Mailbox = mailbox })
			config := strings.ReplaceAll(e.ConfigTOML("/var/lib/o365-sendmail"), e.CAFile(), "/standin/ca.pem")
			must(t, os.WriteFile(filepath.Join(shared, "ca.pem"), e.CAPEM(), 0o644))
			must(t, os.WriteFile(filepath.Join(shared, "config.toml"), []byte(config), 0o600))
			copyFile(t, filepath.Join(repository, "bin", "sendmail"), filepath.Join(shared, "o365-sendmail"))
			copyFile(t, "peer.sh", filepath.Join(shared, "peer.sh"))
			copyFile(t, "import/"+p.name+".sh", filepath.Join(shared, p.name+".sh"))
			cmd := exec.Command("timeout", "-k", "5", "300", "unshare", "--mount", "--pid", "--fork", "--kill-child",
				"./peer.sh", root, shared, p.name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Logf("%s %s", p.name, version(t, root, strings.Fields(p.packages)[0]))
			told, err := os.ReadFile(filepath.Join(shared, "config.txt"))
			must(t, err)
			if !bytes.Contains(told, []byte(": taken: it is the mailbox that signs in")) {
				t.Errorf("%s", told)
			}
			if exists(filepath.Join(shared, "first.json")) {
				judgeQueue(t, shared, p.apart, e.Messages())
			}
		})
	}
}

// sent is a message as the mailer got it.
type sent struct {
	sender     string
	recipients []string
	body       string
}

// judgeQueue compares what the mailer got with what was in the queue and what arrived.
func judgeQueue(t *testing.T, shared string, apart bool, arrived []emulator.Message) {
	t.Helper()
	const messages = 12
	want := map[string]sent{}
	expected := 0
	for n := 1; n <= messages; n++ {
		base := filepath.Join(shared, "sent", strconv.Itoa(n))
		env, err := os.ReadFile(base + ".envelope")
		must(t, err)
		lines := strings.Split(strings.TrimSuffix(string(env), "\n"), "\n")
		want[token(n)] = sent{lines[0], lines[1:], bodyOf(t, base+".eml")}
		expected++
		if apart {
			expected += len(lines) - 2
		}
	}
	if len(arrived) != expected {
		t.Errorf("%d messages arrived, not %d", len(arrived), expected)
	}
	got := map[string][]string{}
	for i := range arrived {
		for tok, s := range want {
			if !bytes.Contains(arrived[i].Data, []byte(tok)) {
				continue
			}
			got[tok] = append(got[tok], arrived[i].To...)
			if _, body, _ := strings.Cut(string(arrived[i].Data), "\r\n\r\n"); body != s.body {
				t.Errorf("%s: %d bytes arrived as %d", tok, len(s.body), len(body))
			}
		}
	}
	for tok, s := range want {
		slices.Sort(got[tok])
		if !slices.Equal(got[tok], s.recipients) {
			t.Errorf("%s went to %q, not %q", tok, got[tok], s.recipients)
		}
	}
	for file, fate := range map[string]string{"first": "", "second": "here already", "third": "here already"} {
		var out struct {
			Messages []struct {
				Fate, Note, Sender string
			}
		}
		text, err := os.ReadFile(filepath.Join(shared, file+".json"))
		must(t, err)
		must(t, json.Unmarshal(text, &out))
		null := 0
		for _, m := range out.Messages {
			if m.Fate == "refused" || fate != "" && m.Fate != fate || m.Sender != "" && m.Sender != mailbox {
				t.Errorf("%s: %+v", file, m)
			}
			if m.Sender == "" {
				null++
			}
		}
		if len(out.Messages) != expected || null != 1 {
			t.Errorf("%s: %d messages, %d of the null sender", file, len(out.Messages), null)
		}
	}
}

func token(n int) string { return "Token-" + strconv.Itoa(n) + "-end" }

// bodyOf is a message's body with the line ends of SMTP.
func bodyOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	_, body, _ := strings.Cut(string(text), "\n\n")
	return strings.ReplaceAll(body, "\n", "\r\n")
}
