package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAlertsPage: every example of docs/alerts.md is a configuration that has nothing to complain of.
func TestAlertsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 6 {
		t.Fatalf("%d examples found", len(blocks))
	}
	for _, b := range blocks {
		c, err := Loader{}.Load(write(t, minimal+"\n"+b[1]))
		if err != nil || len(c.Ignored)+len(c.Warnings) > 0 {
			t.Errorf("%s\n%v %v %v", b[1], err, c.Ignored, c.Warnings)
			continue
		}
		body := c.Alerts.WebhookBody
		if strings.Contains(body, `"`) != json.Valid([]byte(body)) {
			t.Errorf("%s is no JSON", body)
		}
	}
	for _, way := range []string{"webhook", "heartbeat", "status_file", "queue_age"} {
		if !strings.Contains(string(page), "`alerts."+way+"`") {
			t.Errorf("the page lacks %s", way)
		}
	}
}

// TestAlertFaults: a fault costs the key alone, and no URL is shown.
func TestAlertFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`webhook = "http://hooks.example.org/T0PS3CRET"`:     "is not an https URL",
		`webhook = "hooks.example.org/T0PS3CRET"`:            "is not an https URL",
		`webhook = "https://u:T0PS3CRET@hooks.example.org/"`: "is not an https URL",
		"webhook = 5":                      "",
		`heartbeat = "T0PS3CRET"`:          "is not an https URL",
		`webhook_body = "{txt}"`:           "{txt}, which is not known",
		`webhook_body = '{"a": {text}}'`:   "looks like JSON and is none",
		`webhook_body = '[{host}] {text}'`: "none",
		`webhook_body = '{ {text} }'`:      "none",
		"webhook = \"https://x.example/T0PS3CRET\"\nwebhook_file = \"/x\"": "can't be used together with " +
			"alerts.webhook",
		`status_file = "run/status"`: "does not begin with /",
		`queue_age = "-1s"`:          "",
	} {
		path := write(t, minimal+"\n[alerts]\n"+text+"\n")
		c, err := Loader{}.Load(path)
		faults := ""
		if len(c.Ignored) > 0 {
			faults = c.Ignored.Error()
		}
		if err != nil {
			faults += err.Error()
		}
		if want == "none" {
			if faults != "" {
				t.Errorf("%s: %s", text, faults)
			}
			continue
		}
		if faults == "" || !strings.Contains(faults, want) || strings.Contains(faults, "T0PS3CRET") {
			t.Errorf("%s: %q, want %q and no secret", text, faults, want)
		}
	}
}

// TestWebhookIsASecret: a file with the URL must not be readable by all, it is shown nowhere, and it is read from its
// own file at each call.
func TestWebhookIsASecret(t *testing.T) {
	t.Parallel()
	const secret = "https://hooks.example.org/T0PS3CRET"
	open := strings.Replace(minimal, "client_secret ", "client_secret_file ", 1)
	if open == minimal {
		open = regexp.MustCompile(`client_secret *=`).ReplaceAllString(minimal, "client_secret_file =")
	}
	open = regexp.MustCompile(`(client_secret_file *= *)"[^"]*"`).ReplaceAllString(open,
		`$1"/etc/o365-sendmail.secret"`)
	for _, key := range []string{"webhook", "heartbeat"} {
		path := write(t, open+"\n[alerts]\n"+key+" = \""+secret+"\"\n")
		c, err := Loader{}.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Effective() {
			if strings.Contains(s.Value, "T0PS3CRET") {
				t.Errorf("%s is shown: %s", s.Key, s.Value)
			}
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (Loader{}).Load(path); err == nil ||
			!strings.Contains(err.Error(), "lets every user read the secret") {
			t.Errorf("%s in a file for all: %v", key, err)
		}
	}
	file := filepath.Join(t.TempDir(), "url")
	c, err := Loader{}.Load(write(t, minimal+"\n[alerts]\nwebhook_file = \""+file+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{secret + "\n": true, "http://hooks.example.org/T0PS3CRET": false,
		"T0PS3CRET": false, "": false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		url, err := c.WebhookURL()
		if good != (err == nil && url.Reveal() == secret) || err != nil && strings.Contains(err.Error(), "T0PS3CRET") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
