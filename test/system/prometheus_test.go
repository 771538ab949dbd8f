//go:build system

package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const prometheusYAML = `global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: o365-sendmail
    static_configs: [%s]
`

// A prometheus is Debian's, which scrapes agents.
type prometheus struct{ url string }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startPrometheus starts one that keeps what it scrapes in the directory data. targets has addresses by host.
func startPrometheus(t *testing.T, data string, targets map[string]string) *prometheus {
	t.Helper()
	dir, addr := lab.dir(t), freeAddress(t)
	var static []string
	for host, target := range targets {
		static = append(static, fmt.Sprintf("{targets: [%q], labels: {instance: %q}}", target, host))
	}
	config := filepath.Join(dir, "prometheus.yml")
	rules := filepath.Join(lab.root, "packaging/prometheus/alerts.yml")
	text := fmt.Sprintf(prometheusYAML, rules, strings.Join(static, ", "))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := startDaemon(filepath.Join(dir, "out"), "/usr/bin/prometheus", "--config.file="+config,
		"--storage.tsdb.path="+data, "--web.listen-address="+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	p := &prometheus{"http://" + addr}
	if err := d.until(30*time.Second, func() error { _, err := get(p.url + "/-/ready"); return err }); err != nil {
		t.Fatal(err)
	}
	return p
}

// get is what is at a URL, within five seconds.
func get(at string) (string, error) {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(at)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

// ask gets from the API (https://prometheus.io/docs/prometheus/2.42/querying/api/).
func (p *prometheus) ask(path string, data any) error {
	text, err := get(p.url + "/api/v1/" + path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &struct {
		Data any `json:"data"`
	}{data})
}

// values are the samples that a query gives now.
func (p *prometheus) values(query string) (all []float64, err error) {
	var data struct {
		Result []struct {
			Value [2]any `json:"value"`
		} `json:"result"`
	}
	err = p.ask("query?query="+url.QueryEscape(query), &data)
	for _, r := range data.Result {
		text, _ := r.Value[1].(string)
		v, bad := strconv.ParseFloat(text, 64)
		all, err = append(all, v), errors.Join(err, bad)
	}
	return all, err
}

// hasData reports whether a query gives a number.
func (p *prometheus) hasData(query string) error {
	all, err := p.values(query)
	for _, v := range all {
		if !math.IsNaN(v) {
			return nil
		}
	}
	return errors.Join(err, fmt.Errorf("no data: %v", all))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, limit time.Duration, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

// queries are those of the dashboard, with its variables replaced.
func queries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.root, "packaging/prometheus/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board any
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				if s, ok := x.(string); ok && k == "expr" {
					all = append(all, strings.NewReplacer("$instance", ".*", "$__rate_interval", "20s").Replace(s))
				}
				walk(x)
			}
		}
	}
	walk(board)
	if len(all) < 25 {
		t.Fatalf("only %d queries were found", len(all))
	}
	return all
}

// queryOf is the one query of the dashboard that has a text in it.
func queryOf(t *testing.T, text string) string {
	t.Helper()
	all := queries(t)
	return all[slices.IndexFunc(all, func(q string) bool { return strings.Contains(q, text) })]
}

// watchedAgent is an agent whose metrics are at addr, and the URL at which its emulator takes faults.
func watchedAgent(t *testing.T, addr string) (a *agentProcess, control string) {
	t.Helper()
	dir := lab.dir(t)
	e := ownEmulator(t, filepath.Join(dir, "e"))
	out, err := os.ReadFile(filepath.Join(dir, "e", "out"))
	m := regexp.MustCompile(`"control_url":"([^"]*)"`).FindSubmatch(out)
	if m == nil {
		t.Fatal(err, string(out))
	}
	e.toml = "secret_expires = 2030-01-31\n" + e.toml
	a, err = startAgentWith(dir, lab.program, e, "[delivery]\nmessages_per_minute = 100000\n[agent]\n"+
		"metrics_listen = \""+addr+"\"\n", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.daemon.stop)
	return a, string(m[1])
}

// TestPrometheus: Debian's Prometheus scrapes an agent; each query of the dashboard gives data, the rules load, and the
// alert of held mail comes up.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	addr := freeAddress(t)
	a, control := watchedAgent(t, addr)
	p := startPrometheus(t, filepath.Join(lab.dir(t), "data"), map[string]string{"web1.example.org": addr})
	n := 0
	send := func() {
		n++
		callAt(t, a, "root", fmt.Sprintf("Subject: %d\n\nx\n", n), "x@example.org").run(t)
	}
	all := queries(t)
	for _, q := range all {
		if strings.Contains(q, "o365_sendmail_stopped{") {
			continue // below: nothing is stopped now
		}
		eventually(t, q, 20*time.Second, func() error {
			send()
			if strings.Contains(q, "changes(") {
				_ = a.daemon.cmd.Process.Signal(syscall.SIGHUP)
			}
			return p.hasData(q)
		})
	}
	scraped, err := get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command("/usr/bin/promtool", "check", "metrics")
	check.Stdin = strings.NewReader(scraped)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, bad := range []string{"@", "root", a.mailbox()} {
		if strings.Contains(scraped, bad) {
			t.Errorf("%q is in the metrics:\n%s", bad, scraped)
		}
	}
	fault(t, control, http.MethodPut, "full-access-missing")
	send()
	eventually(t, "the alert", 30*time.Second, func() error {
		var data struct {
			Alerts []struct{ Labels map[string]string }
		}
		err := p.ask("alerts", &data)
		for _, alert := range data.Alerts {
			if alert.Labels["alertname"] == "O365SendmailHeld" {
				return err
			}
		}
		return errors.Join(err, fmt.Errorf("%v", data.Alerts))
	})
	for _, q := range all {
		if strings.Contains(q, "o365_sendmail_stopped{") {
			eventually(t, q, 20*time.Second, func() error { return p.hasData(q) })
		}
	}
	stopped(t, a, p)
}

// fault sets (PUT) or ends (DELETE) a fault of the emulator.
func fault(t *testing.T, control, method, name string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, control+"/faults/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
}

// stopped: an agent that doesn't run is seen as one that can't be scraped, in the dashboard's first panel too, and is
// scraped again when it goes on.
func stopped(t *testing.T, a *agentProcess, p *prometheus) {
	t.Helper()
	pid := a.daemon.cmd.Process.Pid
	worst := queryOf(t, "account_state")
	for _, c := range []struct {
		signal syscall.Signal
		up     float64
		worst  float64 // of the dashboard: 4 is "unreachable", 2 "held"
	}{{syscall.SIGSTOP, 0, 4}, {syscall.SIGCONT, 1, 2}} {
		if err := syscall.Kill(-pid, c.signal); err != nil {
			t.Fatal(err)
		}
		eventually(t, c.signal.String(), 20*time.Second, func() error {
			if all, err := p.values(`up{job="o365-sendmail"}`); err != nil || len(all) != 1 || all[0] != c.up {
				return fmt.Errorf("up is %v, %v", all, err)
			}
			if all, err := p.values(worst); err != nil || len(all) != 1 || all[0] != c.worst {
				return fmt.Errorf("the worst state is %v, %v", all, err)
			}
			return nil
		})
	}
}

// TestDashboardStates: the worst state of two hosts, and whether each runs, when one can't be scraped or its file grows
// old.
func TestDashboardStates(t *testing.T) {
	t.Parallel()
	test := `evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'o365_sendmail_account_state{instance="a", job="node", state="delivering"}', values: '1x30'}
      - {series: 'o365_sendmail_written_time_seconds{instance="a", job="node"}', values: '0+60x10 600x20'}
      - {series: 'o365_sendmail_up{instance="a", job="node"}', values: '1x30'}
      - {series: 'o365_sendmail_account_state{instance="b", job="o365-sendmail", state="paused"}', values: '1x4 stale'}
      - {series: 'o365_sendmail_up{instance="b", job="o365-sendmail"}', values: '1x4 stale'}
      - {series: 'up{instance="b", job="o365-sendmail"}', values: '1x4 0x3 stale'}
    promql_expr_test:
`
	for _, c := range []struct {
		minute int
		worst  int
		runs   string
	}{
		{3, 1, `{labels: '{instance="a"}', value: 1}, {labels: '{instance="b"}', value: 1}`},
		{6, 4, `{labels: '{instance="a"}', value: 1}, {labels: '{instance="b"}', value: 0}`},
		{10, 0, `{labels: '{instance="a"}', value: 1}`},
		{17, 4, `{labels: '{instance="a"}', value: 0}`},
	} {
		test += fmt.Sprintf("      - {eval_time: %dm, expr: %q, exp_samples: [{labels: '{}', value: %d}]}\n", c.minute,
			queryOf(t, "account_state"), c.worst)
		test += fmt.Sprintf("      - {eval_time: %dm, expr: %q, exp_samples: [%s]}\n", c.minute,
			queryOf(t, "o365_sendmail_up"), c.runs)
	}
	file := filepath.Join(t.TempDir(), "test.yml")
	if err := os.WriteFile(file, []byte(test), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/promtool", "test", "rules", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestAlertRules: each rule is well formed, and comes up when it should and not before.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(lab.root, "packaging/prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), "/usr/bin/promtool", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	rules, err := os.ReadFile(filepath.Join(dir, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(dir, "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllSubmatch(rules, -1)
	for _, m := range names {
		if strings.Count(string(tests), "alertname: "+string(m[1])+"\n") < 2 {
			t.Errorf("no two tests of %s", m[1])
		}
	}
	if len(names) < 10 {
		t.Errorf("%d rules were found", len(names))
	}
}
