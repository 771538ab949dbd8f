package config

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/host"
)

// checkText judges a string by the key's kind; problem is "" for a good one. A value is not
// repeated where a misplaced secret could stand.
func checkText(k *Key, s string) (problem, hint string) {
	if s == "" {
		if k.Empty {
			return "", ""
		}
		return "is empty", ""
	}
	switch k.Kind {
	case KindSecret:
		return checkSecretText(s)
	case KindTemplate:
		return checkTemplate(s)
	}
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return "holds a control character", ""
	}
	if strings.TrimSpace(s) != s {
		return "has a space at its start or end", ""
	}
	switch k.Kind {
	case KindEnum:
		return checkWord(k, s)
	case KindTenant:
		return checkTenant(s)
	case KindGUID:
		return unless(isGUID(s), "is not a GUID"), ""
	case KindAddress:
		return unless(isAddress(s), shown(s)+" is not an address"), ""
	case KindDomain:
		return unless(host.IsDomain(s), shown(s)+" is not a domain name"), ""
	case KindHost:
		return unless(isHost(s), shown(s)+" is not a host"), ""
	case KindListen:
		return unless(isListen(s), shown(s)+" is not an address with a port"), ""
	case KindSecretURL:
		if problem, _ := checkURL(KindHTTPS, s); problem != "" {
			return "is not an https URL", "" // of which nothing is shown
		}
		return "", ""
	case KindHTTPS, KindHTTP, KindSOCKS, KindProxy:
		return checkURL(k.Kind, s)
	case KindPath:
		return checkPath(s), ""
	case KindName:
		return unless(isName(s), shown(s)+" is not a name"), ""
	case KindSecretFile:
		return checkReference(s), ""
	case KindLog:
		if strings.HasPrefix(s, "/") {
			return checkPath(s), ""
		}
		return checkWord(k, s)
	}
	return "", ""
}

func unless(ok bool, problem string) string {
	if ok {
		return ""
	}
	return problem
}

func checkWord(k *Key, s string) (problem, hint string) {
	for _, v := range k.Values {
		if v == s {
			return "", ""
		}
	}
	if near := nearest(s, k.Values); near != "" {
		return shown(s) + " is not known here", "did you mean " + strconv.Quote(near) + "?"
	}
	return shown(s) + " is not known here", ""
}

func checkTenant(s string) (problem, hint string) {
	if isGUID(s) || genericTenant(s) || host.IsDomain(s) && strings.Contains(s, ".") {
		return "", ""
	}
	return "is neither a GUID nor a domain", "Entra's overview page shows the Tenant ID"
}

// genericTenant is true for the names that stand for no single tenant.
func genericTenant(s string) bool {
	switch strings.ToLower(s) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// isGUID accepts 8-4-4-4-12 hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if s[i] != '-' {
				return false
			}
		case !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])):
			return false
		}
	}
	return true
}

// isAddress accepts local@domain with a dot-atom (RFC 5321 4.1.2, RFC 6531 3.3).
func isAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && isLocal(s[:at]) && host.IsDomain(s[at+1:])
}

// isLocal accepts a dot-atom; a quoted local part never belongs to a mailbox in Exchange.
func isLocal(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;@\,"`, r)
	}) < 0
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return host.IsDomain(s)
}

// isListen accepts an IP address or "localhost" with a port.
func isListen(s string) bool {
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	port, ok := strings.CutPrefix(s, "localhost:")
	n, err := strconv.ParseUint(port, 10, 16)
	return ok && err == nil && n <= 65535
}

// loopback reports whether only this host can reach a listen address.
func loopback(s string) bool {
	ap, err := netip.ParseAddrPort(s)
	return err != nil || ap.Addr().Unmap().IsLoopback()
}

func checkPath(s string) string {
	if !strings.HasPrefix(s, "/") {
		return "does not begin with /"
	}
	return ""
}

// checkReference judges a path or credential:NAME.
func checkReference(s string) string {
	name, ok := strings.CutPrefix(s, credentialPrefix)
	if !ok {
		return checkPath(s)
	}
	if name == "" || strings.Contains(name, "/") || path.Clean(name) != name || name[0] == '.' {
		return "is not the name of a systemd credential"
	}
	return ""
}

func checkURL(kind Kind, s string) (problem, hint string) {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || !isHost(u.Hostname()) {
		return "is not a URL", ""
	}
	if u.User != nil {
		return "holds a user name or password, which is not supported", ""
	}
	proxy := kind == KindSOCKS || kind == KindProxy
	known := false
	switch u.Scheme {
	case "https":
		known = !proxy
	case "http":
		// On loopback nobody listens in: an emulator or a local relay may do without TLS.
		known = kind == KindHTTP || kind == KindProxy || kind == KindHTTPS && isLoopback(u.Hostname())
	case "socks5":
		known = proxy
	}
	if !known {
		return "has the scheme " + shown(u.Scheme), ""
	}
	if u.Fragment != "" || proxy && (u.RawQuery != "" || strings.Trim(u.Path, "/") != "") {
		return "has a part too many", ""
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return "has an impossible port", ""
	}
	if proxy && u.Port() == "" {
		return "names no port", ""
	}
	return "", ""
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// isPattern accepts an address, *@domain, or text with * in it.
func isPattern(s string) bool {
	return s != "" && len(s) <= 320 && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`<>(),;"`, r)
	}) < 0
}

// isSenderPattern accepts an address or *@domain.
func isSenderPattern(s string) bool {
	domain, ok := strings.CutPrefix(s, "*@")
	return ok && host.IsDomain(domain) || isAddress(s)
}

// checkTemplate judges the text of an alert: what looks like JSON must be JSON, as it would else be posted as text.
func checkTemplate(s string) (problem, hint string) {
	for rest := s; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		name, _, closed := strings.Cut(after, "}")
		word := strings.IndexFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
		if closed && word && name != "" && !slices.Contains(AlertFields, name) {
			return "has the field {" + name + "}, which is not known", ""
		}
		rest = after
	}
	inner, object := strings.CutPrefix(strings.TrimSpace(s), "{")
	if object && strings.HasPrefix(strings.TrimSpace(inner), `"`) && !json.Valid([]byte(s)) {
		return "looks like JSON and is none", "a field stands inside a string: \"{text}\""
	}
	return "", ""
}
