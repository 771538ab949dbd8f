package emulator

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// ConfigTOML returns a complete configuration of o365-sendmail for this emulator. The
// token cache goes to dir/cache.
func (e *Emulator) ConfigTOML(dir string) string {
	_, port := e.SMTPAddr()
	var b strings.Builder
	for _, kv := range [][2]string{
		{"tenant", e.Tenant}, {"client_id", e.ClientID}, {"client_secret", e.ClientSecret},
		{"mailbox", e.Mailbox}, {"root_to", e.RootTo}, {"alert_to", e.RootTo},
	} {
		fmt.Fprintf(&b, "%-13s = %s\n", kv[0], tomlString(kv[1]))
	}
	if e.current().Exchange.HighVolume {
		fmt.Fprintf(&b, "%-13s = %s\n", "kind", tomlString("hve"))
	}
	fmt.Fprintf(&b, "\n[smtp]\nhost = %s\nport = %d\n", tomlString(e.SMTPHost), port)
	fmt.Fprintf(&b, "\n[token]\nurl = %s\n", tomlString(e.TokenURL()))
	fmt.Fprintf(&b, "\n[tls]\nca_file = %s\n", tomlString(e.CAFile()))
	fmt.Fprintf(&b, "\n[cache]\ndir = %s\n", tomlString(filepath.Join(dir, "cache")))
	return b.String()
}

// tomlString quotes as a TOML basic string; Go's escapes of what stands in a name or a
// path are TOML's too.
func tomlString(s string) string { return strconv.Quote(s) }
