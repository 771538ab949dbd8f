package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/test/ready"
)

// scrape is the answer to a request for a path at a socket.
func scrape(t *testing.T, network, addr, path string) (status int, body string) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// port is where the metrics are served now; "" for nowhere.
func (x *exporter) port() string {
	x.serving.Lock()
	defer x.serving.Unlock()
	if x.server == nil {
		return ""
	}
	return x.addr
}

// TestMetrics: the file, the port and the control socket tell the same, and name nobody.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s, addr := newSite(t, ""), fmt.Sprint("127.0.0.1:", ready.Port())
	path := filepath.Join(s.dir, "metrics.prom")
	s.write(s.toml("metrics_file = \"" + path + "\"\nmetrics_listen = \"" + addr + "\"\n"))
	s.start()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.until("the port is served", func() bool { return s.agent.exporter.port() != "" })
	s.agent.publish(s.agent.engine.State())
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, overTCP := scrape(t, "tcp", addr, "/metrics")
	_, atSocket := scrape(t, "unix", control.SocketPath(s.socket), "/metrics")
	for way, text := range map[string]string{"file": string(file), "port": overTCP, "socket": atSocket} {
		for _, want := range []string{"o365_sendmail_sent_recipients_total 1\n",
			"o365_sendmail_config_last_reload_successful 1\n", "o365_sendmail_delivery_delay_seconds_count 1\n",
			"o365_sendmail_message_size_bytes_count 1\n", "o365_sendmail_account_state{state=\"delivering\"} 1\n",
			"o365_sendmail_token_expiry_timestamp_seconds "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", way, want, text)
			}
		}
		if strings.Contains(text, "@") || strings.Contains(text, s.agent.mailbox()) {
			t.Errorf("%s: an address in\n%s", way, text)
		}
	}
	for _, path := range []string{"/", "/v1/queue", "/v1/status", "/metrics/", "//metrics", "/debug/pprof/"} {
		if status, body := scrape(t, "tcp", addr, path); status != http.StatusNotFound || !strings.Contains(body, "/metrics") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestMetricsPort: the port follows the configuration, and one that is taken keeps no mail back, is reported once and
// served when it is free.
func TestMetricsPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, free := newSite(t, ""), fmt.Sprint("127.0.0.1:", ready.Port())
	s.write(s.toml("metrics_listen = \"" + taken.Addr().String() + "\"\n"))
	s.start()
	if _, err := s.send(to("a@example.org"), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.arrived(1)
	for range 3 {
		s.agent.publish(s.agent.engine.State())
	}
	if n := strings.Count(s.log(), "agent.metrics_listen"); n != 1 || s.agent.exporter.port() != "" {
		t.Errorf("told %d times\n%s", n, s.log())
	}
	_ = taken.Close()
	s.agent.publish(s.agent.engine.State())
	if status, _ := scrape(t, "tcp", taken.Addr().String(), "/metrics"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	idle, err := net.Dial("tcp", taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()

	s.write(s.toml("metrics_listen = \"" + free + "\"\n"))
	if _, err := s.agent.askReload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _ := scrape(t, "tcp", free, "/metrics"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	_ = idle.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection to the old port: %v", err)
	}
	s.write("tenant = 1\n")
	_, _ = s.agent.askReload(t.Context())
	s.agent.exporter.made = time.Time{}
	if _, text := scrape(t, "tcp", free, "/metrics"); !strings.Contains(text, "_config_last_reload_successful 0\n") ||
		!strings.Contains(text, "_config_last_reload_success_timestamp_seconds 1") ||
		!strings.Contains(text, "{state=\"delivering\"} 1\n") {
		t.Errorf("after a broken configuration:\n%s", text)
	}
	s.write(s.toml(""))
	if _, err := s.agent.askReload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{free, taken.Addr().String()} {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s is still served", addr)
		}
	}
	s.stop()
	s.agent.exporter.follow(free)
	if s.agent.exporter.port() != "" {
		t.Error("a port is served after the end")
	}
}

// TestMetricsCrowd: clients that say little or nothing, and many at once, keep no scrape and no mail back.
func TestMetricsCrowd(t *testing.T) {
	t.Parallel()
	s, addr := newSite(t, ""), fmt.Sprint("127.0.0.1:", ready.Port())
	s.write(s.toml("metrics_listen = \"" + addr + "\"\n"))
	s.start()
	s.until("the port is served", func() bool { return s.agent.exporter.port() != "" })
	for i := range 300 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, []string{"", "GET /metrics HTTP/1.1\r\nHost: x\r\nA:"}[i%2])
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if status, _ := scrape(t, "tcp", addr, "/metrics"); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			}
		})
	}
	for i := range 5 {
		if _, err := s.send(to(fmt.Sprintf("a%d@example.org", i)), envelope.Options{}, "A: 1\r\n\r\n"); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	s.arrived(5)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("a", 1<<20)) }()
	line, err := bufio.NewReader(c).ReadString('\n')
	if !strings.HasPrefix(line, "HTTP/1.1 431 ") {
		t.Errorf("a head of a megabyte: %q %v", line, err)
	}
}
