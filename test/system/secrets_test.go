//go:build system

package system

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type searched struct {
	files int
	bytes int64
}

// findSecrets reads everything that the run wrote, other than configuration
// and cache, and says where a secret or a token is in it.
func (l *laboratory) findSecrets() (found []string, s searched, err error) {
	needles := secretNeedles(l.secrets)
	search := func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.files++
		s.bytes += int64(len(data))
		for _, n := range needles {
			if i := bytes.Index(data, []byte(n.text)); i >= 0 {
				found = append(found, fmt.Sprintf("%s in %s at byte %d", n.what, strings.TrimPrefix(path, l.work), i))
			}
		}
		return nil
	}
	logs := []string{"collected", "postfix/dovecot/log", "postfix/dovecot/out", "postfix/postfix/log",
		"postfix/postfix/out", "agent/out"}
	logs = append(logs, l.emulator.logs()...)
	for _, path := range logs {
		path = filepath.Join(l.work, path)
		if _, err := os.Stat(path); os.IsNotExist(err) {
			continue
		}
		if err := filepath.WalkDir(path, search); err != nil {
			return nil, s, err
		}
	}
	return found, s, nil
}

type needle struct{ what, text string }

// secretNeedles are the texts that show a secret, a token or an XOAUTH2
// response: a token is a JWT ("eyJ" is base64 of `{"`), and the response is
// base64 of "user=...\x01auth=Bearer ...", in one of three alignments.
func secretNeedles(secrets []string) []needle {
	needles := []needle{{"a token", "eyJ"}}
	for _, secret := range secrets {
		needles = append(needles, needle{"a client secret", secret},
			needle{"a client secret, URL-encoded", url.QueryEscape(secret)})
	}
	for skip := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte("auth=Bearer eyJ"[skip:]))
		// The last character depends on what follows, as may the padding.
		text = strings.TrimRight(text, "=")
		needles = append(needles, needle{"an XOAUTH2 response", text[:len(text)-1]})
	}
	return append(needles, needle{"an XOAUTH2 response", base64.StdEncoding.EncodeToString([]byte("user="))[:6]})
}

// TestSecretNeedles shows that the search would find what it looks for.
func TestSecretNeedles(t *testing.T) {
	t.Parallel()
	const secret = "Lab8Q~a+b/c"
	token := lab.authority.token("noreply@contoso.test", time.Now())
	leaks := map[string]string{
		"token":  "Authorization: Bearer " + token,
		"secret": "client_secret = " + secret,
		"form":   "client_secret=" + url.QueryEscape(secret),
		"initial response": base64.StdEncoding.EncodeToString([]byte("user=a@contoso.test\x01auth=Bearer " + token +
			"\x01\x01")),
		"part of response": base64.StdEncoding.EncodeToString([]byte("x@contoso.test\x01auth=Bearer " + token +
			"\x01\x01")),
	}
	for name, text := range leaks {
		hit := false
		for _, n := range secretNeedles([]string{secret}) {
			hit = hit || strings.Contains(text, n.text)
		}
		if !hit {
			t.Errorf("%s: the search does not see it in %q", name, text)
		}
	}
}
