package rfc822

import "testing"

func TestRepairDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Thu Dec 4 16:00:00 2008 -0800":       "Thu, 04 Dec 2008 16:00:00 -0800", // git's default
		"Thu Dec  4 16:00:00 UTC 2008":        "Thu, 04 Dec 2008 16:00:00 +0000", // date(1) in the C locale
		"Thu Dec  4 04:00:00 PM UTC 2008":     "Thu, 04 Dec 2008 16:00:00 +0000", // date(1) in en_US
		"Thu 04 Dec 2008 04:00:00 PM UTC":     "Thu, 04 Dec 2008 16:00:00 +0000",
		"Thu  4 Dec 16:00:00 GMT 2008":        "",
		"Wed 29 May 2019 06:09:22 PM EDT":     "Wed, 29 May 2019 18:09:22 -0400",
		"Thu Dec  4 16:00:00 EST 2008":        "Thu, 04 Dec 2008 16:00:00 -0500",
		"Thu Dec  4 16:00:00 CDT 2008":        "Thu, 04 Dec 2008 16:00:00 -0500",
		"Thu Dec  4 16:00:00 PST 2008":        "Thu, 04 Dec 2008 16:00:00 -0800",
		"Wen, 31 May 2006 09:10:36 -0700":     "31 May 2006 09:10:36 -0700",
		"Mi, 31 May 2006 09:10:36 +0200":      "31 May 2006 09:10:36 +0200",
		"2008-12-04T16:00:00-08:00":           "Thu, 04 Dec 2008 16:00:00 -0800",
		"2008-12-04 16:00:00 +0100":           "Thu, 04 Dec 2008 16:00:00 +0100",
		"2008-12-04 16:00:00.5 +0100 CET":     "Thu, 04 Dec 2008 16:00:00 +0100", // a Go program
		"Thursday, 04-Dec-08 16:00:00 GMT":    "Thu, 04 Dec 2008 16:00:00 +0000", // HTTP's old form
		"Thu Dec  4 16:00:00 CET 2008":        "",                                // whose CET?
		"Thu Dec  4 16:00:00 2008":            "",                                // no zone
		"4.12.2008 16:00":                     "",
		"2008-13-04 16:00:00 +0100":           "",
		"0000-01-01 00:00:00 +0000":           "",
		"":                                    "",
		"Út, 1 pro 2026 10:00:00 +0100":       "",
		"Thu Dec 4 16:00:00 2008 -0800 extra": "",
	} {
		got, ok := repairDate(in)
		if got != want || ok != (want != "") || ok && !isDate(got) {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
}
