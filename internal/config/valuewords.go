package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Expects says in words what a good value is.
func (k *Key) Expects() string {
	switch k.Kind {
	case KindString:
		return "a string in quotes"
	case KindSecret:
		return "the secret's Value in quotes"
	case KindEnum:
		return oneOf(k.Values)
	case KindLog:
		return strings.Replace(oneOf(k.Values), " or ", ", ", 1) + " or an absolute path"
	case KindBool:
		return "true or false"
	case KindInt:
		return fmt.Sprintf("a whole number from %d to %d", k.Min, k.Max)
	case KindDuration:
		return `a time with a unit such as "10s", "2h30m" or "5d", ` +
			k.bounds(func(n int64) string { return formatDuration(time.Duration(n)) })
	case KindSize:
		return `a size with a unit such as "35MB" or "150MiB", ` + k.bounds(formatSize)
	case KindDate:
		return "a date such as 2027-01-31"
	case KindTenant:
		return "the Directory (tenant) ID or a verified domain such as contoso.onmicrosoft.com"
	case KindGUID:
		return "a GUID of 36 characters such as 1b4e28ba-2fa1-11d2-883f-0016d3cca427"
	case KindAddress:
		return "an address such as noreply@contoso.com"
	case KindDomain:
		return "a name such as contoso.com"
	case KindHost:
		return "a host name or an IP address"
	case KindListen:
		return `an IP address and port such as "127.0.0.1:25"`
	}
	return k.expectsLong()
}

func (k *Key) expectsLong() string {
	switch k.Kind {
	case KindHTTPS:
		return "an https URL"
	case KindHTTP:
		return "an http or https URL"
	case KindSOCKS:
		return `a URL such as "socks5://proxy.contoso.com:1080"`
	case KindProxy:
		return `a URL such as "http://proxy.contoso.com:3128" or "socks5://proxy.contoso.com:1080"`
	case KindPath:
		return "an absolute path in quotes"
	case KindSecretURL:
		return "an https URL in quotes"
	case KindTemplate:
		return "a text with the fields {" + strings.Join(AlertFields, "}, {") + "}"
	case KindSecretFile:
		return `an absolute path, or "credential:NAME"`
	case KindAddresses:
		return `an array of addresses such as ["shop@contoso.com"]`
	case KindNetworks:
		return `an array of networks and addresses such as ["192.0.2.0/24", "2001:db8::25"]`
	case KindServers:
		return `an array of URLs such as ["tls://n1.contoso.com:4222"]`
	case KindName:
		return "letters, digits, - and _"
	case KindRules:
		return `an array of tables such as [{ match = "*@web1", to = "noreply@contoso.com" }]`
	case KindSenderTable:
		return `lines such as "shop@contoso.com" = "shop@contoso.com" below [` + k.Name + `]`
	case KindUserTable:
		return `lines such as www-data = ["shop@contoso.com"] below [` + k.Name + `]`
	case KindAliasTable:
		return `lines such as root = "it@contoso.com" below [` + k.Name + `]`
	}
	return ""
}

func oneOf(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

func (k *Key) bounds(format func(int64) string) string {
	if k.Max == 0 {
		return "at least " + format(k.Min)
	}
	return "from " + format(k.Min) + " to " + format(k.Max)
}

// within reports whether n is in the key's range.
func (k *Key) within(n int64) bool {
	most := k.Max
	if most == 0 {
		most = math.MaxInt64
	}
	return n >= k.Min && n <= most
}

// typeName names the type of a TOML value.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case int64:
		return "a number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	case []any:
		return "an array"
	default:
		return fmt.Sprintf("%T", v)
	}
}
