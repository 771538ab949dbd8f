package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"o365-sendmail/internal/agent"
	"o365-sendmail/internal/config"
)

// TestJoinFiles: what is wrong with a file is said with its key and path, before anything is asked of the servers.
func TestJoinFiles(t *testing.T) {
	t.Parallel()
	seed := func(pair nkeys.KeyPair, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		s, err := pair.Seed()
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	user, account := seed(nkeys.CreateUser()), seed(nkeys.CreateAccount())
	for what, c := range map[string]struct {
		text string
		mode os.FileMode
		path string // instead of a file
		want string // "" for none
	}{
		"seed":             {text: user + "\n", mode: 0o600},
		"nk -pubout":       {text: user + "\nUDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4\n", mode: 0o600},
		"garbage":          {text: "SUXX\n", mode: 0o600, want: "does not begin with the seed of a user"},
		"an account's":     {text: account + "\n", mode: 0o600, want: "does not begin with the seed of a user"},
		"empty":            {text: "\n", mode: 0o600, want: "is empty"},
		"others may read":  {text: user + "\n", mode: 0o644, want: "chmod"},
		"there is no file": {path: "/nonexistent/seed", want: "/nonexistent/seed"},
		"without an end":   {path: "/dev/zero", want: "/dev/zero"},
		"a directory":      {path: "/", want: "not a regular file"},
	} {
		dir := t.TempDir()
		if c.path == "" {
			c.path = filepath.Join(dir, "seed")
			if err := os.WriteFile(c.path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(dir, "conf")
		text := fmt.Sprintf("kind = \"relay\"\nmailbox = \"a@example.org\"\n[smtp]\nhost = \"r.example.org\"\n"+
			"[fleet]\nservers = [\"nats://127.0.0.1:1\"]\nnkey_file = %q\n", c.path)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, _ := config.Loader{Getenv: func(string) string { return "" }}.LoadLenient(file)
		m, err := join(read, agent.FleetOptions{HostName: "h1"})
		if err == nil {
			m.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "fleet.nkey_file") || strings.Contains(err.Error(), user)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
