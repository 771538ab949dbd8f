package xoauth

import (
	"strconv"
	"strings"
)

// Explain returns what a code of Entra's means and what to do about it: the number of an error, with or
// without AADSTS before it, or an error code of RFC 6749 or RFC 8628 such as "invalid_client". The server's
// words, or "", tell the causes of one number apart. The advice may hold the placeholders <client id>,
// <tenant> and <host>; it is "" when there is nothing to do but wait. ok is false for a code that is not known.
func Explain(code, words string) (cause, advice string, ok bool) {
	code = strings.TrimSpace(code)
	digits := code
	if len(code) > 6 && strings.EqualFold(code[:6], "AADSTS") {
		digits = strings.TrimSpace(code[6:])
	}
	if n, err := strconv.Atoi(digits); err == nil {
		if n == aadAssertion {
			d := diagnoseCertificate(words)
			return d.cause, d.advice, true
		}
		d, ok := diagnoseAADSTS(n)
		return d.cause, d.advice, ok
	}
	d, ok := diagnoseCode(strings.ToLower(code))
	return d.cause, d.advice, ok
}

// numbers and codes are what Explain knows; a test holds them to that.
var numbers = [...]int{
	7000215, 7000222, 700027, 700024, 50027, 70021, 700211, 700212, 700213, 7000218, 700025, 700016,
	7000229, 7000112, 90002, 900023, 9001023, 90038, 900382, 900432, 500011, 500014, 1002012, 70011,
	50001, 900144, 90014, 53003, 530035, 65001, 50034, 50053, 50126, 50076, 50079, 700082, 50173,
	70016, 50196, 90055, 90024, 90033, 50033,
}

var codes = [...]string{
	"invalid_client", "unauthorized_client", "invalid_grant", "invalid_scope", "invalid_resource",
	"invalid_target", "invalid_request", "unsupported_grant_type", "unsupported_response_type",
	"interaction_required", "consent_required", "login_required", "access_denied",
	"authorization_pending", "authorization_declined", "expired_token", "bad_verification_code",
	"slow_down", "temporarily_unavailable", "server_error",
}

// Codes returns every code that Explain knows, the numbers with AADSTS before them.
func Codes() []string {
	var all []string
	for _, n := range numbers {
		all = append(all, "AADSTS"+strconv.Itoa(n))
	}
	return append(all, codes[:]...)
}
