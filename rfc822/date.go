package rfc822

import (
	"slices"
	"strings"
	"time"
)

// isDate reports whether a value is a date as RFC 5322 3.3 has it, or its obsolete syntax (4.3).
func isDate(value string) bool {
	s := strings.NewReplacer(",", " , ", ":", " : ").Replace(withoutComments(value))
	w := strings.Fields(s)
	weekday := -1
	if len(w) > 1 && w[1] == "," {
		weekday = slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(w[0]))
		if weekday < 0 {
			return false
		}
		w = w[2:]
	}
	if len(w) == 7 { // no seconds
		w = slices.Insert(w, 6, ":", "00")
	}
	if len(w) != 9 || w[4] != ":" || w[6] != ":" {
		return false
	}
	month := slices.Index([]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
		strings.ToLower(w[1]))
	day, ok := number(w[0], 1, 2)
	year, okYear := number(w[2], 2, 4)
	hour, okHour := number(w[3], 1, 2)
	minute, okMinute := number(w[5], 1, 2)
	second, okSecond := number(w[7], 1, 2)
	if !ok || !okYear || !okHour || !okMinute || !okSecond || month < 0 || hour > 23 || minute > 59 || second > 60 ||
		!isZone(w[8]) {
		return false
	}
	switch { // RFC 5322 4.3
	case len(w[2]) == 2 && year < 50:
		year += 2000
	case len(w[2]) < 4:
		year += 1900
	}
	// Another day comes out of one that the month has not.
	date := time.Date(year, time.Month(month+1), day, 0, 0, 0, 0, time.UTC)
	return year >= 1900 && date.Day() == day && (weekday < 0 || date.Weekday() == time.Weekday(weekday))
}

// number reads a number of so many digits.
func number(s string, least, most int) (n int, ok bool) {
	if len(s) < least || len(s) > most {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func isZone(s string) bool {
	if s[0] == '+' || s[0] == '-' {
		n, ok := number(s[1:], 4, 4)
		return ok && n%100 < 60
	}
	for i := range len(s) {
		if c := lower(s[i]); c < 'a' || c > 'z' {
			return false
		}
	}
	return len(s) <= len("AEDST")
}
