package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"o365-sendmail/xoauth"
)

// table takes in every key of one TOML table; name is "" for the document itself.
func (r *reader) table(name string, t map[string]any) {
	for _, part := range slices.Sorted(maps.Keys(t)) {
		v, full := t[part], join(name, part)
		if k := lookup(full); k != nil {
			r.c.origins = append(r.c.origins, origin{full, lineOf(r.lines, full)})
			r.set(k, full, v)
			continue
		}
		switch sub, isTable := v.(map[string]any); {
		case isGroup(full) && isTable:
			r.table(full, sub)
		case isGroup(full):
			r.fault(full, Error{Problem: "is " + typeName(v), Expected: "a table: [" + full + "] on a line of its own"})
		default:
			r.unknown(full, v)
		}
	}
}

func (r *reader) unknown(name string, v any) {
	if r.patched {
		return
	}
	switch v.(type) {
	case map[string]any, []map[string]any:
		r.fault(name, Error{Problem: "unknown table", Suggestion: suggestTable(name)})
	default:
		key, text := suggestKey(name)
		r.fault(name, Error{Problem: "unknown key", Suggestion: text})
		// What is meant is not missing as well.
		r.bad = append(r.bad, key)
	}
}

// wrong notes a value that the key can't have.
func (r *reader) wrong(k *Key, name, problem, hint string) {
	r.fault(name, Error{Problem: problem, Expected: k.Expects(), Hint: hint})
}

// set checks v and stores it. A bad value is noted and leaves the field as it was.
func (r *reader) set(k *Key, name string, v any) {
	switch field := k.field(r.c).(type) {
	case *string:
		if s, ok := r.text(k, name, v); ok {
			*field = s
		}
	case *xoauth.Secret:
		if s, ok := r.text(k, name, v); ok {
			*field = xoauth.NewSecret(s)
		}
	case *bool:
		if b, ok := v.(bool); ok {
			*field = b
		} else {
			r.wrong(k, name, "is "+typeName(v), "")
		}
	case *int:
		r.number(k, name, v, field)
	case *int64:
		r.size(k, name, v, field)
	case *time.Duration:
		r.duration(k, name, v, field)
	case *time.Time:
		r.date(k, name, v, field)
	case *[]string:
		if k.Kind == KindServers {
			r.servers(k, name, v, field)
			return
		}
		*field, _ = r.list(k, name, v, isAddress, "an address")
	case *[]netip.Prefix:
		r.networks(k, name, v, field)
	case *[]MapRule:
		r.rules(k, name, v, field)
	case *map[string]string:
		r.senders(k, name, v, field)
	case *map[string][]string:
		r.names(k, name, v, field)
	default:
		panic("config: key " + k.Name + " has a field of no known type")
	}
}

func (r *reader) text(k *Key, name string, v any) (string, bool) {
	s, ok := v.(string)
	if !ok {
		r.wrong(k, name, "is "+typeName(v), "")
		return "", false
	}
	problem, hint := checkText(k, s)
	if problem != "" {
		r.wrong(k, name, problem, hint)
		return "", false
	}
	return s, true
}

func (r *reader) number(k *Key, name string, v any, field *int) {
	n, ok := v.(int64)
	switch {
	case !ok:
		r.wrong(k, name, "is "+typeName(v), "")
	case !k.within(n):
		r.wrong(k, name, fmt.Sprintf("%d is out of range", n), "")
	default:
		*field = int(n)
	}
}

func (r *reader) size(k *Key, name string, v any, field *int64) {
	s, ok := v.(string)
	if !ok {
		r.wrong(k, name, "is "+typeName(v)+" without a unit", "")
		return
	}
	n, ok := ParseSize(s)
	switch {
	case !ok:
		r.wrong(k, name, shown(s)+" is not a size", "")
	case !k.within(n):
		r.wrong(k, name, shown(s)+" is out of range", "")
	default:
		*field = n
	}
}

func (r *reader) duration(k *Key, name string, v any, field *time.Duration) {
	s, ok := v.(string)
	if !ok {
		r.wrong(k, name, "is "+typeName(v)+" without a unit", "")
		return
	}
	d, ok := ParseDuration(s)
	switch {
	case !ok:
		r.wrong(k, name, shown(s)+" is not a time", "")
	case !k.within(int64(d)):
		r.wrong(k, name, shown(s)+" is out of range", "")
	default:
		*field = d
	}
}

// date takes a TOML date, or the same as a string. A day without an hour begins in UTC.
func (r *reader) date(k *Key, name string, v any, field *time.Time) {
	t, ok := v.(time.Time)
	if s, isText := v.(string); isText {
		var err error
		t, err = time.Parse(time.DateOnly, s)
		ok = err == nil
	}
	switch {
	case !ok:
		r.wrong(k, name, "is not a date", "")
	case t.Year() < 2000 || t.Year() > 9998:
		r.wrong(k, name, "is out of range", "")
	case strings.HasSuffix(t.Location().String(), "-local"):
		// The library's mark for a date without a zone.
		*field = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	default:
		*field = t.UTC()
	}
}

// list takes an array of strings that each pass good. It returns the good ones, and whether all are.
func (r *reader) list(k *Key, name string, v any, good func(string) bool, what string) ([]string, bool) {
	values, ok := v.([]any)
	if !ok {
		r.wrong(k, name, "is "+typeName(v), "")
		return nil, false
	}
	var out []string
	for i, v := range values {
		s, isText := v.(string)
		switch {
		case !isText:
			r.fault(element(name, i+1), Error{Problem: "is " + typeName(v), Expected: what})
			ok = false
		case !good(s):
			r.fault(element(name, i+1), Error{Problem: shown(s) + " is not " + what})
			ok = false
		default:
			out = append(out, s)
		}
	}
	return out, ok
}

// networks takes an array of networks and of addresses that stand for themselves.
func (r *reader) networks(k *Key, name string, v any, field *[]netip.Prefix) {
	list, ok := r.list(k, name, v, func(s string) bool { _, ok := parseNetwork(s); return ok },
		"a network such as 192.0.2.0/24")
	if !ok {
		return
	}
	*field = nil
	for _, s := range list {
		n, _ := parseNetwork(s)
		*field = append(*field, n)
	}
}

// parseNetwork refuses bits behind the prefix: 192.0.2.7/16 is more than it seems.
func parseNetwork(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	n, err := netip.ParsePrefix(s)
	return n, err == nil && n == n.Masked() && !n.Addr().Is4In6()
}

func (r *reader) rules(k *Key, name string, v any, field *[]MapRule) {
	var rules []map[string]any
	switch v := v.(type) {
	case []map[string]any:
		rules = v
	case []any:
		for i, item := range v {
			rule, ok := item.(map[string]any)
			if !ok {
				r.fault(element(name, i+1), Error{Problem: "is " + typeName(item), Expected: `{ match = "...", to = "..." }`})
				continue
			}
			rules = append(rules, rule)
		}
	default:
		r.wrong(k, name, "is "+typeName(v), "")
		return
	}
	for i, rule := range rules {
		at := element(name, i+1)
		match, ok1 := r.ruleText(rule, at, "match", isPattern, `a pattern such as "*@web1"`)
		to, ok2 := r.ruleText(rule, at, "to", isAddress, "an address such as noreply@contoso.com")
		for _, part := range slices.Sorted(maps.Keys(rule)) {
			if part != "match" && part != "to" {
				r.fault(join(at, part), Error{Problem: "unknown key", Expected: "match and to"})
				ok1 = false
			}
		}
		if ok1 && ok2 {
			*field = append(*field, MapRule{Match: match, To: to})
		}
	}
}

func (r *reader) ruleText(rule map[string]any, at, part string, good func(string) bool, what string) (string, bool) {
	v, ok := rule[part]
	if !ok {
		r.fault(at, Error{Problem: part + " is missing", Expected: what})
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		r.fault(join(at, part), Error{Problem: "is " + typeName(v), Expected: what})
		return "", false
	}
	if !good(s) {
		r.fault(join(at, part), Error{Problem: shown(s) + " will not do", Expected: what})
		return "", false
	}
	return s, true
}

// senders takes sender = "mailbox" lines.
func (r *reader) senders(k *Key, name string, v any, field *map[string]string) {
	t, ok := v.(map[string]any)
	if !ok {
		r.wrong(k, name, "is "+typeName(v), "")
		return
	}
	for _, sender := range slices.Sorted(maps.Keys(t)) {
		at := join(name, sender)
		s, isText := t[sender].(string)
		switch {
		case !isSenderPattern(sender):
			r.fault(at, Error{Problem: "is not a sender", Expected: "an address or *@domain in quotes"})
		case !isText:
			r.fault(at, Error{Problem: "is " + typeName(t[sender]), Expected: "the address of a mailbox"})
		case !isAddress(s):
			r.fault(at, Error{Problem: shown(s) + " is not an address", Expected: "the address of a mailbox"})
		default:
			r.put(at, *field != nil && (*field)[strings.ToLower(sender)] != "", func() {
				if *field == nil {
					*field = make(map[string]string)
				}
				(*field)[strings.ToLower(sender)] = s
			})
		}
	}
}

// put stores an entry unless the same name is there in another case.
func (r *reader) put(at string, twice bool, store func()) {
	if twice {
		r.fault(at, Error{Problem: "is there twice, in upper and lower case", Hint: "leave one"})
		return
	}
	store()
}

// names takes name = ["value", ...] lines: the aliases, or the senders of a user.
func (r *reader) names(k *Key, name string, v any, field *map[string][]string) {
	t, ok := v.(map[string]any)
	if !ok {
		r.wrong(k, name, "is "+typeName(v), "")
		return
	}
	out := make(map[string][]string, len(t))
	for _, user := range slices.Sorted(maps.Keys(t)) {
		at, key := join(name, user), user
		var values []string
		if k.Kind == KindAliasTable {
			key = strings.ToLower(user)
			values, ok = r.alias(k, at, user, t[user])
		} else {
			values, ok = r.allowed(k, at, user, t[user])
		}
		if ok {
			r.put(at, out[key] != nil, func() { out[key] = values })
		}
	}
	*field = out
}

func (r *reader) alias(k *Key, at, name string, v any) ([]string, bool) {
	const what = "an address or a local name"
	if !isLocal(name) {
		r.fault(at, Error{Problem: "is not a local name", Expected: "a name without @ such as root"})
		return nil, false
	}
	if s, ok := v.(string); ok {
		v = []any{s}
	}
	if _, ok := v.([]any); !ok {
		r.fault(at, Error{Problem: "is " + typeName(v), Expected: what + ", or an array of them"})
		return nil, false
	}
	values, ok := r.list(k, at, v, isTarget, what)
	return r.some(at, values, ok)
}

// isTarget accepts what an alias may lead to. Commands, files and includes are not local names.
func isTarget(s string) bool {
	return isAddress(s) || isLocal(s) && !strings.ContainsAny(s, "|/")
}

// isUser accepts a user's name, or a host's by its certificate; only a URI has capital letters there.
func isUser(s string) bool {
	name, host := strings.CutPrefix(s, "cert:")
	if host {
		return name != "" && !strings.ContainsAny(name, " \t\r\n") &&
			(strings.Contains(name, "://") || name == strings.ToLower(name))
	}
	return s != "" && !strings.ContainsAny(s, " \t\r\n:@")
}

func (r *reader) allowed(k *Key, at, user string, v any) ([]string, bool) {
	if !isUser(user) {
		r.fault(at, Error{Problem: "is not a user",
			Expected: `a user's name or number, "cert:" with a certificate's name in lower case, or "*"`})
		return nil, false
	}
	values, ok := r.list(k, at, v, func(s string) bool { return s == "*" || isSenderPattern(s) }, `an address, *@domain or "*"`)
	return r.some(at, values, ok)
}

// some refuses an empty array.
func (r *reader) some(at string, values []string, ok bool) ([]string, bool) {
	if ok && len(values) == 0 {
		r.fault(at, Error{Problem: "is empty", Hint: "give a value or leave the line out"})
		ok = false
	}
	return values, ok
}
