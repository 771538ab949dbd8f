package doctor

import (
	"fmt"
	"regexp"
	"strings"
)

// Public returns the report with everything that tells whose it is replaced: addresses,
// host names, GUIDs, IP addresses and paths become <mailbox-1>, <host-1> and so on, the
// same one each time. What Microsoft's public servers are called stays; which of them
// answered, and when, does not. A number says less than a short hash would, which anybody
// who guesses the name can compute.
func (r *Report) Public(names ...string) *Report {
	m := &masker{known: map[string]string{}, count: map[string]int{}}
	m.compile(names)
	out := *r
	out.User = m.text(r.User)
	out.Next = m.text(r.Next)
	out.Checks = make([]Check, len(r.Checks))
	for i, c := range r.Checks {
		c.About, c.Seen, c.Hint = m.text(c.About), m.text(c.Seen), m.text(c.Hint)
		out.Checks[i] = c
	}
	return &out
}

// masker replaces what it finds, the same text by the same label.
type masker struct {
	known map[string]string
	count map[string]int
	rules []maskRule
}

type maskRule struct {
	kind string
	re   *regexp.Regexp
}

// compile is done for each report: nothing is compiled when the program starts.
func (m *masker) compile(names []string) {
	add := func(kind, pattern string) {
		m.rules = append(m.rules, maskRule{kind, regexp.MustCompile(pattern)})
	}
	add("server", `\[[^\]\s]*\.(?:outlook|office365|exchangelabs)[^\]]*\]|\[Hostname=[^\]]*\]|\[[0-9A-F]{16}\]`)
	add("message", `<[^<>@\s]+@[^<>@\s]+>`)
	add("mailbox", `(?i)[\p{L}0-9!#$%&'*+/=?^_{|}~.-]+@[\p{L}0-9][\p{L}0-9.-]*[\p{L}0-9]`)
	add("id", `(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	add("server", `(?i)\b[a-z0-9-]+\.(?:[a-z0-9]+\.prod\.outlook\.com|outlook\.office365\.com)\b`)
	add("address", `\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b|\[?\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\b\]?|::1\b`)
	for _, n := range names {
		if len(n) > 1 {
			add("name", `(?i)(?:^|\b)`+regexp.QuoteMeta(n)+`(?:$|\b)`)
		}
	}
	add("host", `(?i)\b(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]+)\b`)
	add("path", `/(?:home|tmp|srv|opt|root)/[^\s:;,"']+`)
}

func (m *masker) text(s string) string {
	for _, r := range m.rules {
		s = r.re.ReplaceAllStringFunc(s, func(found string) string {
			if r.kind == "host" && harmless(found) {
				return found
			}
			return m.label(r.kind, found)
		})
	}
	return s
}

func (m *masker) label(kind, found string) string {
	key := kind + " " + strings.ToLower(found)
	if l, ok := m.known[key]; ok {
		return l
	}
	m.count[kind]++
	m.known[key] = fmt.Sprintf("<%s-%d>", kind, m.count[kind])
	return m.known[key]
}

// harmless are names that are the same for everybody: Microsoft's public hosts, and words
// with a dot in them that are none, such as keys, units and files.
func harmless(name string) bool {
	name = strings.ToLower(name)
	for _, s := range []string{
		"office365.com", "office365.us", "outlook.com", "outlook.cn", "outlook.office.com", "mx.microsoft", "azurecomm.net",
		"microsoftonline.com", "microsoftonline.us", "microsoftonline.cn", "windows.net", "status.cloud.microsoft", "aka.ms", "microsoft.com",
	} {
		if name == s || strings.HasSuffix(name, "."+s) {
			return true
		}
	}
	for _, s := range []string{".toml", ".sock", ".socket", ".service", ".conf", ".pem", ".secret", ".sendasapp", ".send"} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	switch table, _, _ := strings.Cut(name, "."); table {
	case "smtp", "token", "tls", "cache", "spool", "agent", "delivery", "from", "log", "credential":
		return strings.Count(name, ".") == 1
	}
	return false
}
