package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, system := filepath.Join(dir, "home"), filepath.Join(dir, "etc", "o365-sendmail.toml")
	own := filepath.Join(home, ".config", "o365-sendmail.toml")
	empty := t.TempDir()
	for _, p := range []string{own, system} {
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := func(value string) func(string) string {
		return func(name string) string {
			if name == "O365_SENDMAIL_CONFIG" {
				return value
			}
			t.Errorf("asked for %s", name)
			return ""
		}
	}
	for _, tt := range []struct {
		name, explicit string
		env            func(string) string
		home, system   string
		want, tried    string
	}{
		{"explicit", "/c", env("/e"), home, system, "/c", "/c"},
		{"environment", "", env("/e"), home, system, "/e", "/e"},
		{"home", "", env(""), home, system, own, own},
		{"system", "", env(""), empty, system, system, empty + "/.config/o365-sendmail.toml " + system},
		{"no home", "", nil, "", system, system, system},
		{"relative home", "", nil, "home", system, system, system},
		{"none", "", nil, empty, empty + "/x.toml", "", empty + "/.config/x.toml " + empty + "/x.toml"},
	} {
		got, tried := find(tt.explicit, tt.env, tt.home, tt.system)
		if got != tt.want || strings.Join(tried, " ") != tt.tried {
			t.Errorf("%s: got %q %q, want %q %q", tt.name, got, tried, tt.want, tt.tried)
		}
	}
}

func TestFindSkipsStrangersHome(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make another user's file")
	}
	home := t.TempDir()
	path := filepath.Join(home, ".config", "o365-sendmail.toml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 4242, -1); err != nil {
		t.Fatal(err)
	}
	if got, _ := find("", nil, home, "/nonexistent/o365-sendmail.toml"); got != "" {
		t.Errorf("root takes %s of another user", got)
	}
}
