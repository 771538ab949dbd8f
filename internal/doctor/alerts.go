package doctor

import (
	"fmt"
	"os"
	"strings"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/xoauth"
)

// alerts looks by which ways the administrator hears of trouble. Nothing is posted.
func (r *runner) alerts(c *Check) {
	a := &r.cfg.Alerts
	var ways []string
	for _, h := range []struct {
		key string
		url func() (xoauth.Secret, error)
	}{{"alerts.webhook", r.cfg.WebhookURL}, {"alerts.heartbeat", r.cfg.HeartbeatURL}} {
		url, err := h.url()
		if err != nil {
			c.warn("alert-webhook", h.key+" can't be used: "+err.Error(), "correct "+h.key+"_file in "+r.path)
			return
		}
		if !url.Empty() {
			ways = append(ways, h.key)
		}
	}
	if a.StatusFile != "" {
		_, err := os.Stat(a.StatusFile)
		if err == nil {
			err = durable.Replaceable(a.StatusFile)
		}
		if err != nil && r.agent && !os.IsPermission(err) {
			c.warn("alert-status", "the agent does not write alerts.status_file: "+err.Error(),
				fmt.Sprintf("set alerts.status_file = %q and restart the agent",
					config.MetricsDir+"/"+config.StatusName))
			return
		}
		ways = append(ways, a.StatusFile)
	}
	switch {
	case len(ways) > 0 && r.cfg.AlertTo != "":
		c.ok("go to " + strings.Join(ways, ", ") + ", and by mail to " + r.cfg.AlertTo)
	case len(ways) > 0:
		c.ok("go to " + strings.Join(ways, ", "))
	case r.cfg.AlertTo != "":
		c.ok("go to " + r.cfg.AlertTo + " by mail only: they wait with the mail when all of it is held " +
			"(alerts.webhook does not)")
	default:
		c.warn("alert-to-missing", "nobody is told when delivery stops or a secret is about to expire",
			`set alert_to = "you@your-domain" in `+r.path+`, or better alerts.webhook: it needs no mail`)
	}
}
