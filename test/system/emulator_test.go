//go:build system

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// An emulatorProcess is bin/m365-emulator as an administrator runs it: it
// writes a configuration, and keeps what it receives as files.
type emulatorProcess struct {
	dir          string // messages and transcript
	caFile       string
	toml         string // configuration as it wrote it, its cache directory with it
	clientSecret string
	address      string // mailbox
	daemon       *daemon
}

func startEmulator(dir, program string) (*emulatorProcess, error) {
	e := &emulatorProcess{dir: filepath.Join(dir, "mail"), caFile: filepath.Join(dir, "ca.pem")}
	config := filepath.Join(dir, "o365-sendmail.toml")
	var err error
	e.daemon, err = startDaemon(filepath.Join(dir, "out"), program, "-dir", e.dir, "-config-out", config, "-ca-out",
		e.caFile, "-rate", "0")
	if err != nil {
		return nil, err
	}
	var ready struct {
		Mailbox string `json:"mailbox"`
		CAFile  string `json:"ca_file"`
	}
	err = e.daemon.until(10*time.Second, func() error {
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			return err
		}
		line, _, whole := strings.Cut(string(out), "\n")
		if !whole {
			return fmt.Errorf("it has not said that it is ready: %q", out)
		}
		return json.Unmarshal([]byte(line), &ready)
	})
	if err != nil {
		return nil, err
	}
	e.address = ready.Mailbox
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	// Its own copy of the certificate may lie where only root can read it.
	e.toml = strings.ReplaceAll(string(text), ready.CAFile, e.caFile)
	m := regexp.MustCompile(`(?m)^client_secret *= *"(.*)"$`).FindStringSubmatch(e.toml)
	if m == nil {
		return nil, fmt.Errorf("no client_secret in %s", config)
	}
	e.clientSecret = m[1]
	return e, nil
}

// ownEmulator starts an emulator in dir for one test.
func ownEmulator(t *testing.T, dir string) *emulatorProcess {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	e, err := startEmulator(dir, filepath.Join(lab.root, "bin", "m365-emulator"))
	must(t, err)
	t.Cleanup(e.daemon.stop)
	lab.keepSecret(e.clientSecret)
	return e
}

// logs are the files, below the work directory, that must hold no secret.
func (e *emulatorProcess) logs() []string {
	return []string{"emulator/out", "emulator/mail"}
}

func (e *emulatorProcess) name() string { return "emulator" }

func (e *emulatorProcess) mailbox() string { return e.address }

var cacheDirLine = regexp.MustCompile(`(?m)(^\[cache\]\ndir *= *).*$`)

func (e *emulatorProcess) config(cacheDir string) string { return e.settings(cacheDir) + noSpool }

func (e *emulatorProcess) settings(cacheDir string) string {
	return cacheDirLine.ReplaceAllString(e.toml, "${1}\""+cacheDir+"\"")
}

// arrived looks through the emulator's files, again and again until there are n.
func (e *emulatorProcess) arrived(ctx context.Context, text string, n int) ([]delivery, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := e.messages(text)
		if err != nil || len(found) >= n {
			return found, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return found, fmt.Errorf("%d of %d messages with %q arrived at the emulator: %w", len(found), n, text,
				ctx.Err())
		}
	}
}

// messages reads the messages that contain the text. The JSON file is written
// last: without it a message is not complete.
func (e *emulatorProcess) messages(text string) (found []delivery, err error) {
	files, err := filepath.Glob(filepath.Join(e.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".eml")
		if err != nil {
			return nil, err
		}
		if !containsText(data, text) {
			continue
		}
		var envelope struct {
			From string   `json:"from"`
			To   []string `json:"to"`
		}
		description, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(description, &envelope); err != nil {
			break // being written
		}
		found = append(found, delivery{From: envelope.From, To: envelope.To, Data: data})
	}
	return found, nil
}
