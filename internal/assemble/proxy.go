package assemble

import (
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/net/proxy"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
)

// throughProxy sends a session's connection through smtp.proxy, if there is one. The
// proxy gets the relay's name and resolves it (RFC 1928 section 5), as a host behind
// a proxy often can't.
func throughProxy(c *config.Config, to *submit.Config) error {
	if c.SMTP.Proxy == "" {
		return nil
	}
	u, err := url.Parse(c.SMTP.Proxy)
	if err != nil || u.Scheme != "socks5" {
		return sysexits.With(sysexits.Config, errors.New("smtp.proxy is not a URL such as socks5://proxy.contoso.com:1080"))
	}
	dialer, err := proxy.SOCKS5("tcp", u.Host, nil, proxy.Direct)
	if err != nil {
		return sysexits.With(sysexits.Config, fmt.Errorf("smtp.proxy: %w", err))
	}
	withContext, ok := dialer.(proxy.ContextDialer)
	if !ok {
		return sysexits.With(sysexits.Software, errors.New("smtp.proxy: the connection could not be given up in time"))
	}
	to.DialContext, to.Proxied = withContext.DialContext, true
	return nil
}
