package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/spool"
)

const foreignText = "From: Shop <shop@contoso.test>, \"The CEO\" <ceo@contoso.test>\r\nSender: ceo@contoso.test\r\n" +
	"Resent-From: ceo@contoso.test\r\nSubject: x\r\n\r\nx\r\n"

// putUnprocessed puts a message of a local user into the site's spool as it came.
func (s *site) putUnprocessed(t *testing.T, uid int, to string) (id string) {
	t.Helper()
	sp, err := spool.Open(spool.Options{Dir: filepath.Join(s.dir, "spool")})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	m := wireText("O365-Sendmail-Options: mode=background\r\n" + foreignText)
	id, err = sp.Put(t.Context(), spool.Meta{UID: uid, Origin: spool.Unprocessed + "userid " + strconv.Itoa(uid)},
		&envelope.Envelope{Sender: "ceo@contoso.test", Origin: "ceo@contoso.test",
			Recipients: []envelope.Recipient{{Address: to}}}, m)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestUnprocessedWithoutAgent: a run of the queue without an agent processes what an agent has kept, or
// leaves it.
func TestUnprocessedWithoutAgent(t *testing.T) {
	t.Parallel()
	s := newQueueSite(t)
	good, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.open()
	kept := s.putUnprocessed(t, 33, "root@localhost")
	s.claim(kept, func(it *spool.Item) error {
		return it.Hold("not processed yet, since the configuration could not be used: x")
	})
	released, failed := s.putUnprocessed(t, 33, "a@example.org"), s.putUnprocessed(t, 33, "b@example.org")
	s.claim(failed, func(it *spool.Item) error { return it.Fail("refused") })

	if err := os.WriteFile(s.config, append([]byte("nonsense\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.run("", "-q"); r.code != 78 {
		t.Errorf("-q without a configuration: %+v", r)
	}
	if err := os.WriteFile(s.config, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s.queue("retry", kept).says(t, 0, "to be tried again", "")
	s.queue("release", released).says(t, 0, "released", "")
	s.queue("retry", failed).says(t, 0, "to be tried again", "")
	if n := len(s.Messages()); n != 0 {
		t.Fatalf("%d messages went out", n)
	}
	s.run("", "-q").want(t, 0, "")
	m := s.Messages()
	if len(m) != 3 {
		t.Fatalf("%d messages after -q", len(m))
	}
	to := map[string]bool{}
	for _, m := range m {
		to[m.Envelope.To[0]] = true
		if m.Envelope.From != s.Mailbox || strings.Contains(string(m.Data), "O365-Sendmail-Options") ||
			m.Header("Date") == "" ||
			m.Header("Message-ID") == "" || !strings.Contains(m.Header("Received"), "userid 33") {
			t.Errorf("from %s:\n%s", m.Envelope.From, m.Data)
		}
	}
	if !to[s.RootTo] || !to["a@example.org"] || !to["b@example.org"] {
		t.Errorf("to %v", to)
	}
}

// TestAllowEveryWay: from.allow holds whichever way a message comes.
func TestAllowEveryWay(t *testing.T) {
	t.Parallel()
	me := host.UserByID(os.Getuid())
	for _, policy := range []string{"rewrite", "keep", "map"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			rules := "[from]\npolicy = \"" + policy + "\"\nsend_as = [\"*@contoso.test\"]\n"
			if policy == "map" {
				rules += "[[from.map]]\nmatch = \"*@boss.example\"\nto = \"ceo@contoso.test\"\n"
			}
			rules += "[from.allow]\n" + strconv.Itoa(me.UID) + " = [\"shop@contoso.test\"]\n"
			h := newHost(t, rules)
			h.Update(func(st *emulator.State) { // Exchange would let all of them pass
				for _, tenant := range st.Tenants {
					for _, box := range []string{"shop@contoso.test", "ceo@contoso.test"} {
						tenant.Mailboxes[box] = &emulator.Mailbox{
							SendAs: map[string]*emulator.Grant{emulator.DefaultMailbox: {},
								emulator.DefaultObjectID: {}}}
					}
				}
			})
			text := strings.ReplaceAll(foreignText, "\r\n", "\n")
			boss := "From: ceo@boss.example\nSubject: x\n\nx\n"
			dialogue := func(text string) string {
				return "EHLO x\r\nMAIL FROM:<ceo@contoso.test>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n" +
					strings.ReplaceAll(text, "\n", "\r\n") + ".\r\nQUIT\r\n"
			}
			direct := func(stdin string, args ...string) {
				var out, errs bytes.Buffer
				code := Main(context.Background(), Env{
					Args: append([]string{"sendmail"}, args...), Stdin: strings.NewReader(stdin), Stdout: &out,
					Stderr: &errs, Now: time.Now, UID: os.Getuid(),
					Socket: filepath.Join(h.dir, "none.sock"),
					Getenv: func(name string) string {
						return map[string]string{"O365_SENDMAIL_CONFIG": h.config}[name]
					},
				})
				if code != 0 {
					t.Errorf("%d %s", code, errs.String())
				}
			}
			const stays, goes = "stays", "goes"
			sent := 0
			check := func(way, shop string) {
				t.Helper()
				sent++
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if _, err := h.WaitMessages(ctx, sent); err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				m := h.Messages()[sent-1]
				authors := m.Envelope.From
				for _, name := range []string{"From", "Sender", "Resent-From"} {
					if list, err := mail.ParseAddressList(m.Header(name)); err == nil {
						for _, a := range list {
							authors += " " + a.Address
						}
					}
				}
				if strings.Contains(authors, "ceo@") || shop == goes && strings.Contains(authors, "shop@") {
					t.Errorf("%s: sent as %s", way, authors)
				}
				if shop == stays && strings.Contains(m.Header("From"), "Shop") && !strings.Contains(m.Header("From"),
					"shop@contoso.test") {
					t.Errorf("%s: the allowed author is gone: %s", way, m.Header("From"))
				}
			}
			for _, text := range []string{text, boss} {
				h.call(strings.NewReader(text), "-i", "-f", "ceo@contoso.test", "a@example.org").want(t, 0, "")
				check("the socket", stays)
				if r := h.call(strings.NewReader(dialogue(text)), "-bs"); r.code != 0 {
					t.Errorf("-bs: %+v", r)
				}
				check("-bs", stays)
				overTCP(t, h.port, dialogue(text))
				check("TCP", "either") // the kernel may tell who called
			}
			h.stop()
			for _, text := range []string{text, boss} {
				direct(text, "-i", "-f", "ceo@contoso.test", "a@example.org")
				check("directly", stays)
				direct(dialogue(text), "-bs")
				check("directly by -bs", stays)
			}
			h.putUnprocessed(t, me.UID, "a@example.org")
			h.start(t)
			check("kept", stays)
			h.stop()
			h.putUnprocessed(t, -1, "a@example.org")
			direct("", "-q")
			check("kept from TCP, without an agent", goes)
		})
	}
}

func overTCP(t *testing.T, address, dialogue string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(dialogue)); err != nil {
		t.Fatal(err)
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(c); err != nil || !strings.Contains(answer.String(), "\r\n221 ") {
		t.Errorf("%q, %v", answer.String(), err)
	}
}

// wireText is a message in wire form.
type wireText string

func (m wireText) Size() int64 { return int64(len(m)) }

func (m wireText) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(m))), nil
}
