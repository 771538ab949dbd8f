//go:build callers

package callers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"o365-sendmail/internal/emulator"
)

// TestAnsible plays packaging/ansible with Debian's ansible-core: a check changes nothing, the second run neither.
func TestAnsible(t *testing.T) {
	root := debian(t, "ansible", "ansible-core", "python3-apt", "nullmailer")
	shared := t.TempDir()
	must(t, os.Chmod(shared, 0o755))
	e := emulator.New(quiet{t})
	must(t, os.WriteFile(filepath.Join(shared, "ca.pem"), e.CAPEM(), 0o644))
	must(t, os.WriteFile(filepath.Join(shared, "secret"), []byte(e.ClientSecret), 0o600))
	must(t, os.CopyFS(filepath.Join(shared, "ansible"), os.DirFS(repository+"/packaging/ansible")))
	config := strings.ReplaceAll(e.ConfigTOML("/var/lib/o365-sendmail"), e.CAFile(), "/standin/ca.pem")
	_, tables, _ := strings.Cut(config, "\n[smtp]")
	vars, err := json.Marshal(map[string]any{
		"o365_package": "/tmp/o365-sendmail.deb", "o365_tenant": e.Tenant, "o365_client_id": e.ClientID,
		"o365_client_secret": e.ClientSecret, "o365_mailbox": e.Mailbox, "o365_root_to": e.RootTo,
		"o365_more": "[smtp]" + tables, "o365_take_over": []string{"nullmailer", "dma"},
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(shared, "vars.json"), vars, 0o600))
	copyFile(t, filepath.Join(repository, "bin", "sendmail"), filepath.Join(shared, "o365-sendmail"))
	copyFile(t, "ansible.sh", filepath.Join(shared, "peer.sh"))
	cmd := exec.Command("timeout", "-k", "5", "400", "unshare", "--mount", "--pid", "--fork", "--kill-child",
		"./peer.sh", root, shared, "ansible")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("ansible-core %s\n%s", version(t, root, "ansible-core"), out)
}
