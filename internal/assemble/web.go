package assemble

import (
	"fmt"
	"net/http"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// Webhook is where alerts are posted, nil for nowhere; Heartbeat is where it is posted that all is well.
func Webhook(c *config.Config) *notify.Hook {
	return hook(c, c.WebhookURL, c.Alerts.WebhookFile != "" || !c.Alerts.Webhook.Empty())
}

// Heartbeat is described with Webhook.
func Heartbeat(c *config.Config) *notify.Hook {
	return hook(c, c.HeartbeatURL, c.Alerts.HeartbeatFile != "" || !c.Alerts.Heartbeat.Empty())
}

func hook(c *config.Config, secret func() (xoauth.Secret, error), set bool) *notify.Hook {
	if !set {
		return nil
	}
	return &notify.Hook{Body: c.Alerts.WebhookBody, Client: func() (*http.Client, error) { return webClient(c) },
		URL: func() (string, error) {
			s, err := secret()
			return s.Reveal(), err
		}}
}

// webClient speaks to the token endpoint and to webhooks. It follows no redirects.
func webClient(c *config.Config) (*http.Client, error) {
	pool, err := Roots(c.TLS.CAFile)
	if err != nil {
		return nil, sysexits.With(sysexits.Config, err)
	}
	client, err := xoauth.NewHTTPClient(xoauth.HTTPOptions{RootCAs: pool, MinVersion: MinVersion(c.TLS.MinVersion),
		Timeout: c.Token.Timeout, Proxy: c.Token.Proxy})
	if err != nil {
		return nil, sysexits.With(sysexits.Config, fmt.Errorf("token.proxy: %w", err))
	}
	return client, nil
}
