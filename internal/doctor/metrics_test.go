package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
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

func TestMetricsPort(t *testing.T) {
	t.Parallel()
	text := "other_metric 1\n"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
	}))
	look := func() Check {
		c := Check{Name: "metrics-port"}
		addr := strings.TrimPrefix(srv.URL, "http://")
		(&runner{cfg: &config.Config{Agent: config.Agent{MetricsListen: addr}}}).metricsPort(t.Context(), &c)
		return c
	}
	if c := look(); c.Key != "metrics-unserved" || !strings.Contains(c.Seen, "another program") {
		t.Errorf("another program: %+v", c)
	}
	text = "# TYPE\no365_sendmail_build_info{version=\"1\"} 1\n"
	if c := look(); c.Status != OK {
		t.Errorf("served: %+v", c)
	}
	srv.Close()
	if c := look(); c.Key != "metrics-unserved" || c.Status != Warning {
		t.Errorf("nothing there: %+v", c)
	}
}
