package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"o365-sendmail/bench/delay"
	"o365-sendmail/internal/emulator"
	"o365-sendmail/xoauth"
)

// bench is a run: the emulator, what is measured, and the report.
type bench struct {
	*settings
	dir       string
	emulator  *emulator.Emulator
	far       *delay.Proxy
	caFile    string // the system's authorities and the emulator's
	tokenFile string
	message   string // a file with a message of 2 KB, lines ending in LF
	report    report
	postfix   *postfix // nil until it is asked for, see peerPostfix
	eximJail  *jail    // the same, see exim
	undo      []func()
}

const (
	from = emulator.DefaultMailbox
	to   = "someone@example.org"

	password = "correct horse" // for peers that know no tokens
)

func newBench(s *settings, dir string) (*bench, error) {
	e, err := emulator.Start(emulator.Options{Control: "-", State: func(st *emulator.State) {
		st.Limits.RecipientsPerDay, st.Limits.PerMinute = 0, 0
		for _, m := range st.Tenants[emulator.DefaultTenant].Mailboxes {
			m.MaxSendSize, m.Password = 0, password
		}
	}})
	if err != nil {
		return nil, err
	}
	b := &bench{
		settings: s, dir: dir, emulator: e, caFile: filepath.Join(dir, "ca.pem"),
		tokenFile: filepath.Join(dir, "token"), message: filepath.Join(dir, "message"),
	}
	host, port := e.SMTPAddr()
	if b.far, err = delay.Listen(fmt.Sprintf("%s:%d", host, port), s.rtt); err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), b.writeTrust(), b.writeToken(),
			os.WriteFile(b.message, text(2<<10), 0o644))
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	for _, f := range b.undo {
		f()
	}
	if b.far != nil {
		_ = b.far.Close()
	}
	_ = b.emulator.Close()
}

// writeTrust makes a bundle as large as a real host's, for all to read.
func (b *bench) writeTrust() error {
	pem := b.emulator.CAPEM()
	if system, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt"); err == nil {
		pem = append(system, pem...)
	}
	return os.WriteFile(b.caFile, pem, 0o644)
}

// writeToken fetches an access token for those that can't do so themselves.
func (b *bench) writeToken() error {
	client, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: b.emulator.CAPool(), Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, b.emulator.TokenURL(),
		strings.NewReader(b.tokenRequest()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		return errors.Join(errors.New("the emulator gave no token"), err)
	}
	return os.WriteFile(b.tokenFile, []byte(answer.Token+"\n"), 0o600)
}

// tokenRequest is the form that asks for a token.
func (b *bench) tokenRequest() string {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {b.emulator.ClientID},
		"client_secret": {b.emulator.ClientSecret}, "scope": {"https://outlook.office365.com/.default"},
	}.Encode()
}

// port is the relay's, near or at the distance of rtt.
func (b *bench) port(rtt time.Duration) int {
	if rtt > 0 {
		return b.far.Port()
	}
	return b.emulator.SMTPPort()
}

// folder makes a directory below the run's own.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// arrived waits until n messages have come since the last reset.
func (b *bench) arrived(n int, within time.Duration) error {
	for deadline := time.Now().Add(within); ; time.Sleep(time.Millisecond) {
		have := b.emulator.Stats().Messages
		if have >= n {
			return nil
		}
		if interrupted.Load() {
			return errInterrupted
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d messages have arrived within %v", have, n, within)
		}
	}
}

// settled waits until n messages have come since the last reset, or no more for a while. It
// returns how many have, and when the last of them did.
func (b *bench) settled(n int) (have int, last time.Time) {
	const quiet = 4 * time.Second
	for last = time.Now(); have < n && time.Since(last) < quiet && !interrupted.Load(); time.Sleep(time.Millisecond) {
		if now := b.emulator.Stats().Messages; now > have {
			have, last = now, time.Now()
		}
	}
	return have, last
}

// reset forgets what has arrived.
func (b *bench) reset() {
	b.emulator.ResetStats()
	b.emulator.ForgetMessages()
	b.emulator.ForgetSent()
}

// text makes a message of about size bytes.
func text(size int) []byte {
	out := []byte("From: " + from + "\nTo: " + to +
		"\nSubject: benchmark\nDate: Wed, 25 Nov 2026 09:00:00 +0000\nMessage-ID: <1@bench.test>\n\n")
	line := []byte(strings.Repeat("0123456789abcdef", 4) + "01234567890\n")
	for len(out) < size {
		out = append(out, line...)
	}
	return out
}

// crlf puts text into wire form.
func crlf(text []byte) []byte { return []byte(strings.ReplaceAll(string(text), "\n", "\r\n")) }
