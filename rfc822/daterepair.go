package rfc822

import (
	"strings"
	"time"
)

// repairDate reads a date in a form that other programs write: date(1), ctime with a zone, git, ISO 8601. It
// returns it as a Date field has it. A form without a zone that says one offset to everybody is not read: it would
// be wrong by hours somewhere.
func repairDate(value string) (date string, ok bool) {
	value = strings.Join(strings.Fields(value), " ")
	if day, rest, ok := strings.Cut(value, ","); ok && !strings.ContainsAny(day, " 0123456789") && isDate(rest) {
		return strings.TrimSpace(rest), true // the day of the week, in another language or a wrong one
	}
	for _, form := range [...]string{
		"Mon Jan 2 15:04:05 2006 -0700",
		"Mon Jan 2 15:04:05 -0700 2006",
		"Mon Jan 2 15:04:05 MST 2006",
		"Mon Jan 2 03:04:05 PM MST 2006",
		"Mon 2 Jan 2006 15:04:05 MST",
		"Mon 2 Jan 2006 15:04:05 -0700",
		"Mon 2 Jan 2006 03:04:05 PM MST",
		"Monday, 02-Jan-06 15:04:05 MST",
		"Mon, 2 Jan 2006 15:04:05 -07:00",
		"Mon, 2 January 2006 15:04:05 -0700",
		"2 January 2006 15:04:05 -0700",
		"2006-01-02T15:04:05Z07:00",
		"2006-01-02T15:04:05-0700",
		"2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05 -0700 MST",
		"2006-01-02 15:04:05 MST",
		"2006/01/02 15:04:05 -0700",
	} {
		t, err := time.Parse(form, value)
		if err != nil {
			continue
		}
		if strings.Contains(form, "MST") && !strings.Contains(form, "-0700") {
			if t, ok = inNamedZone(t); !ok {
				return "", false
			}
		}
		if t.Year() < 1900 || t.Year() > 9999 {
			return "", false
		}
		return t.Format("Mon, 02 Jan 2006 15:04:05 -0700"), true
	}
	return "", false
}

// inNamedZone puts the offset of its zone's name to a time that was read without. Only these names say one offset to
// everybody (RFC 5322 4.3).
func inNamedZone(t time.Time) (time.Time, bool) {
	name, _ := t.Zone()
	if name == "UTC" || name == "GMT" {
		return t, true
	}
	i := strings.Index("EDT EST CDT CST MDT MST PDT PST ", name+" ")
	if i < 0 || len(name) != 3 {
		return t, false
	}
	hours := -4 - (i/4+1)/2
	zone := time.FixedZone("", hours*60*60)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone), true
}
