package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/config"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	path := filepath.Join(dir, "o365-sendmail.prom")
	look := func() Check {
		c := Check{Name: "metrics"}
		r := &runner{o: Options{Now: func() time.Time { return now }},
			cfg: &config.Config{Agent: config.Agent{MetricsFile: path}}}
		r.metrics(&c)
		return c
	}
	if c := look(); c.Key != "metrics-unwritten" || !strings.Contains(c.Hint, config.MetricsDir) {
		t.Errorf("not there: %+v", c)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if c := look(); c.Status != OK {
		t.Errorf("just written: %+v", c)
	}
	now = now.Add(10 * time.Minute)
	if c := look(); c.Key != "metrics-stale" || c.Status != Warning {
		t.Errorf("old: %+v", c)
	}
}
