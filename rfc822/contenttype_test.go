package rfc822

import "testing"

// TestBoundary reads a boundary in each form that a parameter has (RFC 2045 5.1, RFC 2231 3 and 4).
func TestBoundary(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`multipart/mixed; boundary=b`:                                                   "b",
		`multipart/mixed; Boundary = "b c"`:                                             "b c",
		`multipart/signed; boundary*="ansi-x3.4-1968''EeQf%47"; micalg=x`:               "EeQfG",
		`multipart/signed; boundary*=us-ascii'en'a%2Fb`:                                 "a/b",
		`multipart/mixed; boundary*0="one"; boundary*1=two`:                             "onetwo",
		`multipart/mixed; boundary*1*=%32; boundary*0*=utf-8''1; boundary*2="%33"`:      "12%33",
		`multipart/mixed; boundary*=''x; boundary*=''y`:                                 "x",
		`multipart/mixed; boundary*1=two`:                                               "",
		`multipart/mixed, boundary=b`:                                                   "b",
		`multipart/mixed, charset=utf-8; boundary="b,c"`:                                "b,c",
		`multipart/mixed (a, boundary=no); boundary=b`:                                  "b",
		`multipart/mixed; boundary`:                                                     "",
		`multipart/mixed; x-boundary*0=no; charset*=utf-8''no`:                          "",
		`multipart/mixed; boundary*=plain`:                                              "plain",
		`multipart/mixed; boundary*0*=utf-8''a%zz; boundary*1*="b"; boundary*3=nothing`: "a%zzb",
	} {
		if got := parseContentType(in).boundary; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
