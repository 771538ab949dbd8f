package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"o365-sendmail/internal/sysexits"
)

// Each file in testdata/bad has beside it the exact lines that it must give.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := faultLines(t, filepath.Base(file), string(text))
			golden(t, strings.TrimSuffix(file, ".toml")+".want", got)
			if strings.Contains(got, secretText) || strings.Contains(got, "Abc8Q") {
				t.Error("the secret is shown")
			}
		})
	}
}

// faultLines loads text and lists its faults, one a line.
func faultLines(t *testing.T, name, text string) string {
	path := write(t, text)
	c, err := Loader{}.Load(path)
	if err == nil && len(c.Ignored) > 0 {
		err = sysexits.With(sysexits.Config, c.Ignored)
	}
	if err == nil {
		t.Fatalf("taken for good: %v", c.Warnings)
	}
	if sysexits.Code(err, 0) != sysexits.Config {
		t.Errorf("exit code %d", sysexits.Code(err, 0))
	}
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("%T", err)
	}
	var b strings.Builder
	for _, e := range all {
		b.WriteString(strings.ReplaceAll(e.Error(), path, name) + "\n")
	}
	return b.String()
}
