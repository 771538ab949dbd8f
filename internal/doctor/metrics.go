package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"o365-sendmail/internal/config"
)

// metricsStale is the age at which the file of the metrics, written every minute, is not written any more.
const metricsStale = 3 * time.Minute

// metrics looks whether the agent, which may have other rights than this process, writes the file of
// agent.metrics_file.
func (r *runner) metrics(c *Check) {
	path := r.cfg.Agent.MetricsFile
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		c.skip(path + " can't be seen by " + r.o.User.Name)
		return
	case err != nil:
		c.warn("metrics-unwritten", "the agent does not write agent.metrics_file: "+err.Error(), metricsRemedy(path))
		return
	}
	if age := r.o.Now().Sub(st.ModTime()); age > metricsStale {
		c.warn("metrics-stale", fmt.Sprintf("the agent has not written %s for %s", path, age.Truncate(time.Second)),
			metricsRemedy(path))
		return
	}
	c.ok(path + " is written")
}

// metricsPort looks whether the agent, and not another program, answers at agent.metrics_listen.
func (r *runner) metricsPort(ctx context.Context, c *Check) {
	addr := r.cfg.Agent.MetricsListen
	const bound = 1 << 20
	head, err := func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
		if err != nil {
			return "", err
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(q)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, bound))
		return string(b), err
	}()
	const remedy = "restart the agent, and see its log for why it can't have the port; or choose another in " +
		"agent.metrics_listen"
	switch {
	case err != nil:
		c.warn("metrics-unserved", "the agent does not answer at agent.metrics_listen: "+err.Error(), remedy)
	case !strings.Contains(head, "\no365_sendmail_build_info{"):
		c.warn("metrics-unserved", "another program answers at agent.metrics_listen, "+addr, remedy)
	default:
		c.ok(addr + " is served")
	}
}

// metricsRemedy leads to the folder that the package's service may write.
func metricsRemedy(path string) string {
	if filepath.Dir(path) == config.MetricsDir {
		return "restart the agent, which makes " + config.MetricsDir + ", and look at its log"
	}
	return fmt.Sprintf("set agent.metrics_file = %q, restart the agent, and ln -s %[1]s %s",
		filepath.Join(config.MetricsDir, config.MetricsName), filepath.Dir(path))
}
