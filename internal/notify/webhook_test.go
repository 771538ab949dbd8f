package notify

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
)

// web is a notifier whose webhook is a server of the test's.
type web struct {
	*Notifier
	now      time.Time
	warnings []string
	mail     []string

	mu  sync.Mutex
	got []string // bodies, with their media type before them
}

const secretPath = "/hooks/T0PS3CRET"

func newWeb(t *testing.T, body string, answer http.HandlerFunc) *web {
	t.Helper()
	w := &web{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.got = append(w.got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(b))
		w.mu.Unlock()
		if answer != nil {
			answer(rw, r)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.Notifier = New(Options{Now: func() time.Time { return w.now },
		Warn: func(err error) { w.warnings = append(w.warnings, err.Error()) },
		Log:  maillog.New(maillog.Options{To: "stderr", Format: "text", Stderr: io.Discard}),
		Submit: func(string, *envelope.Envelope, envelope.Message, string) error {
			w.mail = append(w.mail, "")
			return nil
		}})
	w.Configure(Config{Host: "web1", AlertTo: "it@contoso.test", From: "noreply@contoso.test",
		StatusFile: filepath.Join(t.TempDir(), "status"),
		Webhook: &Hook{Body: body, URL: func() (string, error) { return s.URL + secretPath, nil },
			Client: func() (*http.Client, error) { return client, nil }}})
	return w
}

func (w *web) round(in ...Condition) {
	w.Look(in, true)
	w.Post(context.Background())
}

func (w *web) posts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

var heldMail = Condition{Name: "held", Kind: Held, Key: "secret-expired", What: `mail from <a"b\c@contoso.test>`,
	Cause: "the client secret has expired", Reason: "550 your message 'the plan' of <!channel> was refused; eyJ0eXAi",
	Since: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}

// TestWebhook: what is posted is what the template says, in this program's words, and the end is told.
func TestWebhook(t *testing.T) {
	t.Parallel()
	const text = `[web1] Mail is held: the client secret has expired (mail from a"b\c@contoso.test; ` +
		`since 2030-01-01 00:00 UTC)`
	quoted, _ := json.Marshal(text)
	for name, c := range map[string]struct{ body, want string }{
		"slack": {`{"text": "{text}"}`, `application/json {"text": ` + string(quoted) + `}`},
		"ntfy":  {`{text}`, "text/plain; charset=utf-8 " + text},
		"fields": {`{"t":"{title}","k":"{key}","s":"{state}/{severity}","at":"{since}","h":"{host}","n":1}`,
			`application/json ` +
				`{"t":"Mail is held: the client secret has expired","k":"secret-expired","s":"raised/critical","at":"2030-01-01T00:00:00Z","h":"web1","n":1}`},
		"no field of ours": {`{other} {text`, `text/plain; charset=utf-8 {other} {text`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, c.body, nil)
			w.round(heldMail)
			w.round(heldMail)
			if got := w.posts(); len(got) != 1 || got[0] != "POST "+secretPath+" "+c.want {
				t.Errorf("posted\n%q\nwant\n%q", got, c.want)
			}
			w.now = w.now.Add(time.Hour)
			w.round()
			w.round()
			if got := w.posts(); len(got) != 2 || strings.Contains(c.body, "{text}") && !strings.Contains(got[1],
				"it was: the client secret has expired; it began") {
				t.Errorf("the end was not told once: %q", got)
			}
			if len(w.mail) != 2 || len(w.warnings) > 0 {
				t.Errorf("%d mails, warnings %q", len(w.mail), w.warnings)
			}
		})
	}
}

// TestWebhookFails: a webhook that fails costs the other ways nothing, is tried again after growing pauses, complains
// once, never shows its URL, and hears the news when it is back.
func TestWebhookFails(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		t.Error("a redirect was followed")
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		client *http.Client
		want   string
	}{
		"500": {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }, nil,
			"answers HTTP 500 Internal Server Error"},
		"404": {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(404) }, nil,
			"answers HTTP 404 Not Found"},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, "no reply in time"},
		"redirect": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, elsewhere.URL+"/T0PS3CRET2", http.StatusTemporaryRedirect)
		}, nil, "redirects elsewhere (HTTP 307)"},
		"unknown certificate": {nil, &http.Client{}, "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, "{text}", c.answer)
			conf := *w.config.Load()
			good := conf.Webhook
			if name == "hangs" {
				client, _ := good.Client()
				client.Timeout = 300 * time.Millisecond
			}
			if c.client != nil {
				conf.Webhook = &Hook{Body: good.Body, URL: good.URL,
					Client: func() (*http.Client, error) { return c.client, nil }}
				w.Configure(conf)
			}
			tries, last := 0, time.Time{}
			for range 24 * 60 {
				w.round(heldMail)
				if w.hook.Next.After(last) {
					tries, last = tries+1, w.hook.Next
				}
				w.now = w.now.Add(time.Minute)
				if tries == 3 && name == "hangs" {
					break // each takes its time
				}
			}
			if name != "hangs" && (tries < 25 || tries > 32) {
				t.Errorf("%d tries in a day", tries)
			}
			if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], c.want) {
				t.Errorf("warnings %q, want one with %q", w.warnings, c.want)
			}
			if strings.Contains(strings.Join(w.warnings, ""), "T0PS3CRET") {
				t.Errorf("the URL is shown: %q", w.warnings)
			}
			if len(w.mail) != 1 {
				t.Errorf("%d mails", len(w.mail))
			}
			if b, err := os.ReadFile(conf.StatusFile); err != nil ||
				!strings.HasPrefix(string(b), "critical: Mail is held: the client secret has expired") {
				t.Errorf("status %q, %v", b, err)
			}
			back := newWeb(t, "{text}", nil)
			conf.Webhook = back.config.Load().Webhook
			w.Configure(conf)
			w.now = w.now.Add(time.Hour)
			w.round(heldMail)
			if got := back.posts(); len(got) != 1 || !strings.Contains(got[0], "Mail is held") {
				t.Errorf("when it works again: %q", got)
			}
		})
	}
}

// TestHeartbeat: it stops while mail is held, and when nobody looks any more.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "", nil)
	c := *w.config.Load()
	c.Heartbeat, c.Webhook = c.Webhook, nil
	w.Configure(c)
	beats := func(minutes int, look bool, in ...Condition) int {
		before := len(w.posts())
		for range minutes {
			w.now = w.now.Add(time.Minute)
			if look {
				w.Look(in, true)
			}
			w.Post(context.Background())
		}
		return len(w.posts()) - before
	}
	if n := beats(30, false); n != 0 {
		t.Errorf("%d beats before anybody has looked", n)
	}
	if n := beats(30, true, Condition{Name: "old", Kind: QueueOld}); n != 6 {
		t.Errorf("%d beats in half an hour", n)
	}
	if n := beats(30, true, heldMail); n != 0 {
		t.Errorf("%d beats while mail is held", n)
	}
	again := *w.config.Load()
	memory := stored(t, w.Memory())
	w.Notifier = New(w.o)
	w.Configure(again)
	w.Remember(memory)
	unsettled := w.now.Add(time.Minute)
	for ; w.now.Before(unsettled); w.now = w.now.Add(time.Minute) {
		before := len(w.posts())
		w.Look(nil, false)
		w.Post(context.Background())
		if len(w.posts()) > before {
			t.Error("a beat after a restart, before mail was tried")
		}
	}
	if n := beats(10, true); n != 2 {
		t.Errorf("%d beats afterwards", n)
	}
	if n := beats(30, false); n > 1 {
		t.Errorf("%d beats when nobody looks any more", n)
	}
}

// TestStatusFile: it has a line for each thing, is empty when nothing is wrong, may be read by all, and one that can't
// be written is complained of once and written later.
// TestStatusFileIsNone: a path that is something else than a file stays what it is, and the log says so.
func TestStatusFileIsNone(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "{text}", nil)
	c := *w.config.Load()
	c.Webhook, c.StatusFile = nil, filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(c.StatusFile, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Configure(c)
	w.round(heldMail)
	fi, err := os.Lstat(c.StatusFile)
	if err != nil || fi.Mode().Type() != os.ModeNamedPipe || len(w.warnings) != 1 ||
		!strings.Contains(w.warnings[0], "not a regular file") {
		t.Errorf("%v, %v, warnings %q", fi, err, w.warnings)
	}
}

func TestStatusFile(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "{text}", nil)
	dir := filepath.Join(t.TempDir(), "run")
	c := *w.config.Load()
	c.Webhook, c.StatusFile = nil, filepath.Join(dir, "status")
	w.Configure(c)
	w.round(heldMail)
	w.round(heldMail)
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "the status file can't be written") ||
		len(w.mail) != 1 {
		t.Errorf("warnings %q, %d mails", w.warnings, len(w.mail))
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	soon := Condition{Name: "s", Kind: Expiry, What: "the client secret", Step: 7, Ends: w.now.Add(5 * 24 * time.Hour)}
	w.round(heldMail, soon)
	fi, err := os.Stat(c.StatusFile)
	if err != nil || fi.Mode().Perm() != 0o644 {
		t.Fatal(fi, err)
	}
	want := "critical: Mail is held: the client secret has expired (mail from a\"b\\c@contoso.test; " +
		"since 2030-01-01 00:00 UTC)\n" +
		"warning: The client secret expires in 5 days (on 2030-01-06 00:00 UTC)\n"
	if b, _ := os.ReadFile(c.StatusFile); string(b) != want {
		t.Errorf("status\n%s\nwant\n%s", b, want)
	}
	w.round()
	if b, err := os.ReadFile(c.StatusFile); err != nil || len(b) > 0 {
		t.Errorf("status %q, %v", b, err)
	}
}

// TestWebhookPausesSurvive: an agent that is started again and again posts no more often than one that runs, whatever
// its clock did meanwhile, and a reload tries at once.
func TestWebhookPausesSurvive(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "{text}", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) })
	again := func(change func(*Memory)) {
		t.Helper()
		b, err := json.Marshal(w.Memory())
		if err != nil {
			t.Fatal(err)
		}
		var m Memory
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&m)
		}
		conf := *w.config.Load()
		w.Notifier = New(w.o)
		w.Configure(conf)
		w.Remember(m)
		w.round(heldMail)
	}
	for range 24 * 60 { // a restart each minute
		again(nil)
		w.now = w.now.Add(time.Minute)
	}
	tries := len(w.posts())
	if tries < 25 || tries > 32 {
		t.Errorf("%d tries in a day of restarts", tries)
	}
	w.Configure(*w.config.Load())
	if w.round(heldMail); len(w.posts()) != tries+1 {
		t.Errorf("a reload: %d tries", len(w.posts())-tries)
	}
	again(func(m *Memory) { m.Retry = Retry{Failures: -5, Next: w.now.AddDate(1, 0, 0)} })
	w.now = w.now.Add(longestPause)
	if w.round(heldMail); len(w.posts()) != tries+2 {
		t.Errorf("after a clock that was set back: %d tries", len(w.posts())-tries)
	}
}
