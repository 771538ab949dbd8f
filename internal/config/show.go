package config

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/printable"
	"o365-sendmail/xoauth"
)

// Setting is one key with its effective value, for people to read.
type Setting struct {
	Key string
	// Value is TOML text; a secret is [redacted], and "" means that there is none.
	Value string
	// Line is where the file sets it; 0 when it is the default.
	Line int
	// Origin is "FILE:LINE", "default", or "default: " and where the default comes from.
	Origin string
}

// Effective lists every key in the sample file's order with its value and where that is from.
func (c *Config) Effective() []Setting {
	var all []Setting
	for _, k := range Keys() {
		s := Setting{Key: k.Name, Value: tomlText(k, k.field(c)), Origin: "default"}
		switch {
		case k.Derived != "":
			s.Origin = "default: " + k.Derived
		case k.ofKind != nil:
			s.Origin = "default: of kind " + quote(c.Kind)
		}
		for _, o := range c.origins {
			if o.name == k.Name {
				s.Line, s.Origin = o.line, printable.Line(c.Path)+":"+strconv.Itoa(o.line)
			}
		}
		all = append(all, s)
	}
	return all
}

// tomlText writes a value as TOML, "" for none.
func tomlText(k *Key, field any) string {
	switch v := field.(type) {
	case *xoauth.Secret:
		if v.Empty() {
			return ""
		}
		return v.String()
	case *string:
		if *v == "" && !k.Empty {
			return ""
		}
		return quote(*v)
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return strconv.Itoa(*v)
	case *int64:
		return quote(formatSize(*v))
	case *time.Duration:
		return quote(formatDuration(*v))
	case *time.Time:
		return dateText(*v)
	case *[]string:
		if len(*v) == 0 {
			return ""
		}
		return quoteAll(*v)
	case *[]netip.Prefix:
		var texts []string
		for _, n := range *v {
			texts = append(texts, n.String())
		}
		return tomlText(k, &texts)
	default:
		return tableText(v)
	}
}

func dateText(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

func tableText(field any) string {
	var parts []string
	open, end := "{ ", " }"
	switch v := field.(type) {
	case *[]MapRule:
		open, end = "[", "]"
		for _, rule := range *v {
			parts = append(parts, "{ match = "+quote(rule.Match)+", to = "+quote(rule.To)+" }")
		}
	case *map[string]string:
		for _, name := range slices.Sorted(maps.Keys(*v)) {
			parts = append(parts, join("", name)+" = "+quote((*v)[name]))
		}
	case *map[string][]string:
		for _, name := range slices.Sorted(maps.Keys(*v)) {
			parts = append(parts, join("", name)+" = "+quoteAll((*v)[name]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return open + strings.Join(parts, ", ") + end
}

// quote writes a basic string; clean has made controls visible, and they never got in anyway.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable.Line(s)) + `"`
}

func quoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// defaultText is the key's default as TOML, "" when there is none.
func (k *Key) defaultText() string { return k.defaultTextFor(account.Mailbox) }

// kindDefaults says which default each kind of account has, "" where there is no difference.
func (k *Key) kindDefaults() string {
	mailbox, hve := k.defaultText(), k.defaultTextFor(account.HVE)
	if mailbox == hve {
		return ""
	}
	return mailbox + ", and " + hve + " with kind = " + quote(account.HVE)
}

func (k *Key) defaultTextFor(kind string) string {
	switch v := k.defaultFor(kind).(type) {
	case string:
		return quote(v)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// IsSet reports whether the file itself holds the key.
func (c *Config) IsSet(key string) bool {
	for _, o := range c.origins {
		if o.name == key {
			return true
		}
	}
	return false
}
