package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"o365-sendmail/internal/account"
)

// TestKubernetes: the configurations in the manifests of packaging/kubernetes are good, and belong together.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	for file, kind := range map[string]string{"relay.yaml": account.Mailbox, "client.yaml": account.Relay} {
		text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "kubernetes", file))
		if err != nil {
			t.Fatal(err)
		}
		block := regexp.MustCompile(`(?m)^  o365-sendmail\.toml: \|\n((?:    .*\n)+)`).FindSubmatch(text)
		if block == nil {
			t.Fatalf("%s holds no configuration", file)
		}
		c, err := Loader{}.Load(write(t, strings.ReplaceAll("\n"+string(block[1]), "\n    ", "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != kind || len(c.Warnings) > 0 || len(c.Ignored) > 0 {
			t.Errorf("%s: kind %s, %v %v", file, c.Kind, c.Warnings, c.Ignored)
		}
		for _, path := range []string{c.ClientSecretFile, c.TLS.CAFile, c.Credential.CertificateFile,
			c.Credential.KeyFile, c.Agent.TLSCertFile, c.Agent.TLSKeyFile, c.Agent.ClientCAFile} {
			if dir := filepath.Dir(path); path != "" && !strings.Contains(string(text), "mountPath: "+dir+",") {
				t.Errorf("%s mounts nothing at %s", file, dir)
			}
		}
		if _, port, _ := strings.Cut(c.Agent.Listen, "]:"); port != "" &&
			!strings.Contains(string(text), "containerPort: "+port+",") {
			t.Errorf("%s: no port %s", file, port)
		}
	}
}
