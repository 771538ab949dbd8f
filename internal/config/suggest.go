package config

import "strings"

// suggestKey returns the known key that an unknown one probably means, and how to say so; both
// are "" when there is none.
func suggestKey(name string) (key, text string) {
	table, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		table, last = name[:i], name[i+1:]
	}
	if k := synonym(last); k != "" && table == "" {
		if k == "smtp.host" {
			return k, place(k)
		}
		return k, k
	}
	var here, bases []string
	elsewhere := ""
	for _, k := range Keys() {
		b := k.base()
		if k.Name != b && strings.TrimSuffix(k.Name, "."+b) == table || k.Name == b && table == "" {
			here, bases = append(here, k.Name), append(bases, b)
		} else if b == last && elsewhere == "" {
			elsewhere = k.Name
		}
	}
	if near := nearest(last, bases); near != "" {
		for i, b := range bases {
			if b == near {
				return here[i], here[i]
			}
		}
	}
	if elsewhere != "" {
		return elsewhere, place(elsewhere)
	}
	if table == "" {
		return "", suggestTable(last)
	}
	return "", ""
}

// suggestTable returns the known table that an unknown one probably means, or "".
func suggestTable(name string) string {
	var tables []string
	for i := range groups {
		if groups[i].name != "" {
			tables = append(tables, groups[i].name)
		}
	}
	if near := nearest(name, tables); near != "" {
		return "[" + near + "]"
	}
	return ""
}

// place names a key of another table, and where it must stand.
func place(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:] + " below [" + name[:i] + "]"
	}
	return name + " above the first [table]"
}

// synonym knows what other programs and Microsoft's pages call these.
func synonym(name string) string {
	switch strings.ToLower(name) {
	case "tenant_id", "tenantid", "directory_id", "directory":
		return "tenant"
	case "app_id", "appid", "application_id", "applicationid", "clientid":
		return "client_id"
	case "secret", "password", "clientsecret", "secret_value":
		return "client_secret"
	case "user", "username", "sender", "from_address", "account":
		return "mailbox"
	case "host", "relay", "relayhost", "server", "smarthost":
		return "smtp.host"
	case "postmaster", "root":
		return "root_to"
	}
	return ""
}

// Nearest returns the candidate that a mistyped word probably means, "" for none.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }

// nearest returns the candidate with the smallest edit distance, if that is small enough for a
// slip of the hand: a third of the length, and the same word in another case always.
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", len(word)/3+1
	if len(word) < 4 {
		bestDistance = 1
	}
	for _, c := range candidates {
		if c == "" {
			continue
		}
		d := distance(strings.ToLower(word), strings.ToLower(c), bestDistance)
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a
// into b (optimal string alignment). It returns most when it is at least that.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			next[j+1] = d
		}
		before, row, next = row, next, before
	}
	return min(row[len(b)], most)
}
