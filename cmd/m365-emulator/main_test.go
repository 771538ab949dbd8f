package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lineWriter hands over what is written once there is a whole line.
type lineWriter struct {
	buf  bytes.Buffer
	line chan string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf.Write(p)
	if bytes.HasSuffix(w.buf.Bytes(), []byte("\n")) {
		w.line <- w.buf.String()
		w.buf.Reset()
	}
	return len(p), nil
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, stderr := &lineWriter{line: make(chan string, 1)}, &bytes.Buffer{}
	config, ca := filepath.Join(dir, "o365-sendmail.toml"), filepath.Join(dir, "ca.pem")
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-config-out", config, "-ca-out", ca, "-dir", filepath.Join(dir, "mail"), "-fault",
			"secret-expired", "-rate", "0"}, out, stderr)
	}()
	var ready map[string]any
	select {
	case line := <-out.line:
		if err := json.Unmarshal([]byte(line), &ready); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	case code := <-done:
		t.Fatalf("ended with %d: %s", code, stderr)
	}
	info, err := os.Stat(config)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("config: %v, %v", info, err)
	}
	text, err := os.ReadFile(config)
	if err != nil || !strings.Contains(string(text), `ca_file = "`+ca+`"`) ||
		!strings.Contains(string(text), `dir = "`+filepath.Join(dir, "cache")+`"`) {
		t.Errorf("config: %s, %v", text, err)
	}
	if _, err := os.Stat(ca); err != nil || ready["ca_file"] != ca {
		t.Errorf("ca: %v, %v", ready["ca_file"], err)
	}
	res, err := http.Get(ready["control_url"].(string) + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(b), `"shows":"AADSTS7000222","set":true`) {
		t.Errorf("faults: %s, %v", b, err)
	}
	cancel()
	if code := <-done; code != 0 || !strings.Contains(stderr.String(), "m365-emulator: 0 messages to 0 recipients") {
		t.Errorf("ended with %d: %s", code, stderr)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"-h"}, 0, "", "control endpoint:"},
		{[]string{"-faults"}, 0, "full-access-missing", ""},
		{[]string{"-nonsense"}, 2, "", "-nonsense"},
		{[]string{"x"}, 2, "", `unexpected argument "x"`},
		{[]string{"-fault", "nonsense"}, 1, "", `no fault is named "nonsense"`},
		{[]string{"-smtp", "256.0.0.1:1"}, 1, "", "smtp"},
		{[]string{"-config-out", "/nonexistent/x"}, 1, "", "/nonexistent"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), tc.args, &stdout, &stderr); code != tc.code ||
			!strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
			t.Errorf("%v: %d\n%s\n%s", tc.args, code, stdout.String(), stderr.String())
		}
	}
}
