package config

import (
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/account"
	"o365-sendmail/xoauth"
)

func TestKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, kind, host string
		perMinute, recipients  int
		size                   int64
	}{
		{"nothing said", "", account.Mailbox, "", 30, 500, 150 << 20},
		{"said", "kind = \"mailbox\"", account.Mailbox, "", 30, 500, 150 << 20},
		{"hve said", "kind = \"hve\"", account.HVE, "smtp.hve.mx.microsoft", 0, 50, 10 << 20},
		{"hve by host", "[smtp]\nhost = \"smtp.hve.mx.microsoft\"", account.HVE, "smtp.hve.mx.microsoft", 0,
			50, 10 << 20},
		{"hve by its old host", "[smtp]\nhost = \"SMTP-HVE.office365.com\"", account.HVE,
			"SMTP-HVE.office365.com", 0, 50,
			10 << 20},
		{"hve on another host", "kind = \"hve\"\n[smtp]\nhost = \"localhost\"", account.HVE, "localhost", 0,
			50, 10 << 20},
		{"another host", "[smtp]\nhost = \"localhost\"", account.Mailbox, "localhost", 30, 500, 150 << 20},
		{"hve with limits of its own", "kind = \"hve\"\n[delivery]\nmessages_per_minute = 600\nmax_recipients = 20\n" +
			"max_size = \"1MiB\"", account.HVE, "smtp.hve.mx.microsoft", 600, 20, 1 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Loader{}.Load(write(t, minimal+c.text+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			d := got.Delivery
			if got.Kind != c.kind || got.SMTP.Host != c.host || d.MessagesPerMinute != c.perMinute ||
				d.MaxRecipients != c.recipients || d.MaxSize != c.size || d.Connections != 3 || len(got.Warnings) > 0 {
				t.Errorf("kind %q, host %q, %+v, %v", got.Kind, got.SMTP.Host, d, got.Warnings)
			}
			i := slices.IndexFunc(got.Effective(), func(s Setting) bool { return s.Key == "kind" })
			if s := got.Effective()[i]; s.Value != quote(c.kind) {
				t.Errorf("config show: %+v", s)
			}
		})
	}
}

// TestKindFaults: a broken limit has the default of the kind, and what contradicts the kind is said.
func TestKindFaults(t *testing.T) {
	t.Parallel()
	c, faults := Loader{}.LoadLenient(write(t, minimal+"kind = \"hve\"\n[delivery]\nmessages_per_minute = -1\n"))
	if c == nil || c.Delivery.MessagesPerMinute != 0 || len(faults) != 1 {
		t.Errorf("%+v, %v", c, faults)
	}
	for text, want := range map[string]string{
		"kind = \"graph\"": "kind",
		"kind = \"mailbox\"\n[smtp]\nhost = \"smtp.hve.mx.microsoft\"": "leave one of the two out",
		"kind = \"hve\"\n[smtp]\nhost = \"smtp.office365.com\"":        "leave one of the two out",
	} {
		if _, err := (Loader{}).Load(write(t, minimal+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	c, err := Loader{}.Load(write(t, minimal+"kind = \"hve\"\n[delivery]\nmax_recipients = 51\nmax_size = \"11MiB\"\n"+
		"connections = 4\n[from]\npolicy = \"keep\"\nsend_as = [\"other@contoso.com\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, w := range c.Warnings {
		keys = append(keys, w.Key)
	}
	for _, want := range []string{"delivery.max_recipients", "delivery.max_size", "delivery.connections", "from.policy",
		"from.send_as"} {
		if !slices.Contains(keys, want) {
			t.Errorf("no warning about %s, but %q", want, keys)
		}
	}
}

// TestKindKnowsTheClouds: the relay of each cloud serves mailboxes.
func TestKindKnowsTheClouds(t *testing.T) {
	t.Parallel()
	for _, name := range lookup("cloud").Values {
		if cloud, ok := xoauth.LookupCloud(name); !ok || account.At(cloud.SMTPHost) != account.Mailbox {
			t.Errorf("%s: %+v", name, cloud)
		}
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`mailboxes = ["a@contoso.com", "b@contoso.com"]`:  "",
		`mailboxes = ["*@contoso.com"]`:                   "is a pattern",
		`mailboxes = ["a@contoso.com", "A@contoso.com"]`:  "is there twice",
		`mailboxes = "a@contoso.com"`:                     "mailboxes",
		"kind = \"hve\"\nmailboxes = [\"a@contoso.com\"]": "does not go with kind",
	} {
		c, err := Loader{}.Load(write(t, minimal+text+"\n"))
		switch {
		case want == "" && (err != nil || len(c.Pool) != 2):
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
