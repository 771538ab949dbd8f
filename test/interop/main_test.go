//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	scope      = "https://outlook.office365.com/.default"
	otherScope = "https://graph.microsoft.com/.default" // no client may have it
	audience   = "https://outlook.office365.com"
	lifetime   = 3599 * time.Second
)

// tokenURL is the server's token endpoint.
var tokenURL string

// TestMain starts the server. Without node, npm or what "make interop" installs
// nothing can run: that is a failure in CI, elsewhere a skip with its reason.
func TestMain(m *testing.M) {
	flag.Parse()
	if reason := missing(); reason != "" {
		if os.Getenv("CI") == "true" {
			fmt.Println("interop tests: FAIL: " + reason)
			os.Exit(1)
		}
		fmt.Println("interop tests: SKIP: " + reason)
		os.Exit(0)
	}
	code, err := runWithServer(m)
	if err != nil {
		fmt.Println("interop tests: FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// missing says what keeps the tests from running here, or nothing.
func missing() string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is not installed"
	}
	if _, err := os.Stat("node_modules/oidc-provider"); err != nil {
		return "oidc-provider is not installed (make interop installs it)"
	}
	return ""
}

// runWithServer runs the tests while the server runs.
func runWithServer(m *testing.M) (code int, err error) {
	setup, err := json.Marshal(map[string]any{
		"clients": registrations(), "scopes": []string{scope, otherScope}, "audience": audience,
		"lifetime": int(lifetime / time.Second),
	})
	if err != nil {
		return 1, err
	}
	var stderr bytes.Buffer
	server := exec.Command("node", "server.mjs")
	server.Stderr = &stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return 1, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := server.Start(); err != nil {
		return 1, err
	}
	defer func() {
		_ = stdin.Close() // the server ends
		kill := time.AfterFunc(5*time.Second, func() { _ = server.Process.Kill() })
		defer kill.Stop()
		if waitErr := server.Wait(); waitErr != nil && err == nil {
			err = fmt.Errorf("the server ended with %w", waitErr)
		}
		if code != 0 || err != nil {
			fmt.Println("the server's words:\n" + strings.TrimSpace(stderr.String()))
		}
	}()

	if _, err := stdin.Write(append(setup, '\n')); err != nil {
		return 1, err
	}
	late := time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	var ready struct{ TokenURL string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &ready) != nil || ready.TokenURL == "" {
		return 1, fmt.Errorf("the server did not start: %q", lines.Text())
	}
	late.Stop()
	tokenURL = ready.TokenURL
	return m.Run(), nil
}
