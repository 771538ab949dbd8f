//go:build package

package pkgtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The container recipes, carried out line by line in a Debian that has PHP, as their
// second stage's image has: direct delivery without an agent. The Alpine recipe finds an
// apk here that does nothing, since Debian has what it asks for.
func TestContainer(t *testing.T) {
	for _, name := range []string{"Dockerfile.debian", "Dockerfile.alpine"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChroot(t, "bookworm")
			c.write("/usr/bin/apk", "#!/bin/sh\n[ \"$*\" = 'add --no-cache ca-certificates' ]\n", 0o755)
			c.buildImage(filepath.Join("../../packaging/container", name))
			c.sendWithoutAgent()
		})
	}
}

// buildImage carries out a Dockerfile of two stages: the first on this host, in a copy of
// nothing but the repository, the second in the system.
func (c *chroot) buildImage(dockerfile string) {
	c.t.Helper()
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		c.t.Fatal(err)
	}
	stage, program := 0, filepath.Join(c.t.TempDir(), "program")
	for _, line := range dockerLines(string(text)) {
		instruction, rest, _ := strings.Cut(line, " ")
		switch {
		case instruction == "FROM":
			stage++
		case instruction == "RUN" && stage == 1:
			cmd := exec.Command("sh", "-ec", strings.Replace(rest, " /o365-sendmail ", " "+program+" ", 1))
			cmd.Dir = "../.."
			if out, err := cmd.CombinedOutput(); err != nil {
				c.t.Fatalf("%s: %v\n%s", rest, err, out)
			}
		case instruction == "RUN":
			// The lists of packages are there, and no mirror need be asked.
			c.must(strings.Replace(rest, "apt-get update", "true", 1))
		case strings.HasPrefix(line, "COPY --from=build /o365-sendmail "):
			to := strings.Fields(rest)[2]
			c.copyIn(program, to)
			c.must("chmod 755 " + to)
		case stage == 1 && (instruction == "COPY" || instruction == "WORKDIR"), instruction == "ARG",
			instruction == "VOLUME":
		default:
			c.t.Fatalf("%s: this test does not know what to do with %q", dockerfile, line)
		}
	}
}

// dockerLines are the instructions of a Dockerfile, without comments, each on one line.
func dockerLines(text string) []string {
	var lines []string
	open := false
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, more := strings.CutSuffix(line, "\\")
		if open {
			lines[len(lines)-1] += line
		} else {
			lines = append(lines, line)
		}
		open = more
	}
	return lines
}

// sendWithoutAgent sends as the application in a container does.
func (c *chroot) sendWithoutAgent() {
	c.t.Helper()
	t := c.t
	sample, err := os.ReadFile("../../packaging/container/o365-sendmail.toml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("contoso.onmicrosoft.com", c.m.Tenant, "00000000-0000-0000-0000-000000000000",
		c.m.ClientID,
		"noreply@contoso.com", c.m.Mailbox, "it@contoso.com", c.m.RootTo).Replace(string(sample))
	c.write("/run/secrets/o365-sendmail", c.m.ClientSecret+"\n", 0o400)
	c.write("/etc/o365-sendmail.toml", config, 0o400)
	c.must("chown www-data: /run/secrets/o365-sendmail /etc/o365-sendmail.toml")
	const send = `php -r 'exit(mail("someone@example.org", "php", "body") ? 0 : 1);'`
	if r := c.as("www-data", "setpriv --no-new-privs "+send); r.code != 0 {
		t.Fatalf("mail(): exit %d", r.code)
	}
	c.m.wait(t, 1)

	// A temporary failure leaves the message in the spool, and sendmail -q sends it.
	if err := c.m.SetFault("smtp-busy"); err != nil {
		t.Fatal(err)
	}
	if r := c.as("www-data", send); r.code != 0 {
		t.Fatalf("mail() while Exchange is away: exit %d", r.code)
	}
	if err := c.m.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if r := c.as("www-data", "sendmail -q && mailq"); r.code != 0 {
		t.Errorf("sendmail -q: exit %d", r.code)
	}
	c.m.wait(t, 2)
}
