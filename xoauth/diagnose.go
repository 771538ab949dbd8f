package xoauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
)

// diagnosis is what an error means, in words.
type diagnosis struct {
	cause, advice string
	quote         bool // the server's own words say more
	complete      bool // the cause needs no text of the underlying error
}

func (e *Error) diagnose() diagnosis {
	if e.Status == 0 && e.Code == "" {
		d := diagnoseLocal(e.Err)
		if e.Op == opIdentity && d.advice != "" {
			d.advice = "see that this machine runs on Azure (or is connected by Azure Arc) and has a " +
				"managed identity: " + assignAdvice
		}
		return d
	}
	if e.AADSTS == aadAssertion {
		return diagnoseCertificate(e.Description)
	}
	if d, ok := diagnoseAADSTS(e.AADSTS); ok {
		return d
	}
	if e.Op == opIdentity {
		if d, ok := diagnoseIdentity(e.Status, e.Code); ok {
			return d
		}
	}
	if d, ok := diagnoseCode(e.Code); ok {
		return d
	}
	return diagnoseStatus(e.Status, e.Err)
}

// diagnoseCode explains an error code that comes without a known number.
// RFC 6749 5.2, RFC 8628 3.5, and Entra's own.
func diagnoseCode(code string) (diagnosis, bool) {
	d := diagnosis{quote: true}
	switch code {
	case "invalid_client":
		d.cause = "Entra does not accept the credential"
		d.advice = "check the secret or certificate: Entra admin center > App registrations > <client id> > " +
			"Certificates & secrets"
	case "unauthorized_client":
		d.cause = "the application may not ask for this token"
		d.advice = "check the Application (client) ID and the Directory (tenant) ID on the app's Overview page"
	case "invalid_grant":
		d.cause = "Entra refuses the sign-in"
		d.advice = "look in Entra admin center > Sign-in logs > Service principal sign-ins (or User sign-ins) " +
			"for the reason"
	case "invalid_scope", "invalid_resource", "invalid_target":
		d.cause = "the scope is wrong"
		d.advice = scopeAdvice
	case "invalid_request", "unsupported_grant_type", "unsupported_response_type":
		d.cause = "Entra does not understand the request"
		d.advice = "check the tenant, the client ID and the token URL"
	case "interaction_required", "consent_required", "login_required":
		d.cause = "a person must sign in again"
		d.advice = signInAdvice
	case "access_denied":
		d.cause = "access was denied"
		d.advice = "look in Entra admin center > Sign-in logs for the reason"
	case "authorization_pending":
		d.cause = "the person has not finished the sign-in yet"
	case "authorization_declined":
		d.cause = "the person declined the sign-in"
		d.advice = "begin the sign-in again"
	case "expired_token", "bad_verification_code":
		d.cause = "the device code is no longer valid"
		d.advice = "begin the sign-in again"
	case "slow_down":
		d.cause = "the server asks for fewer requests"
	case "temporarily_unavailable", "server_error":
		d.cause = "Entra is unavailable for the moment"
	default:
		return diagnosis{}, false
	}
	return d, true
}

// diagnoseStatus explains a reply that has no error code.
func diagnoseStatus(status int, err error) diagnosis {
	d := diagnosis{quote: true}
	switch {
	case status == 429:
		d.cause = "too many token requests"
		d.advice = "wait; keep tokens in a cache that all processes share"
	case errors.Is(err, errPage):
		d.cause = "an HTML page came in place of a token: a proxy or captive portal has answered"
		d.advice = portalAdvice
		d.complete = true
	case status == 511: // RFC 6585 section 6
		d.cause = "a captive portal asks for a sign-in"
		d.advice = portalAdvice
	case status >= 500:
		d.cause = "the token endpoint is unavailable for the moment"
	case status == 407:
		d.cause = "the proxy asks for a password"
		d.advice = proxyAdvice
	case status >= 400:
		d.cause = "the reply is not Entra's"
		d.advice = "check the token URL, and whether a proxy or firewall answers in place of <host>"
	case status >= 300:
		d.cause = "a redirect, which is not followed because the request holds a credential"
		d.advice = "check the token URL, and whether a proxy or captive portal answers in place of <host>"
	case err == nil:
		d.cause = "the reply has no token"
	default:
		d.cause = "the reply has no usable token"
	}
	return d
}

const (
	networkAdvice = "allow outgoing HTTPS (443/tcp) to <host>, or set the proxy for token requests"
	portalAdvice  = "sign in to the network, let <host> through the proxy unchanged, or set the proxy for token " +
		"requests (token.proxy)"
	proxyAdvice = "check the proxy for token requests, its user and password, and that it allows CONNECT to <host>:443"
	caAdvice    = "add the CA that signed it to the CA file, or install the package ca-certificates; " +
		"a firewall that inspects TLS has a CA of its own"
	clockAdvice = "set the clock: timedatectl set-ntp true"
)

// diagnoseLocal explains an error that came instead of a reply.
func diagnoseLocal(err error) diagnosis {
	var (
		local   *localError
		proxy   *proxyError
		unknown x509.UnknownAuthorityError
		roots   x509.SystemRootsError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		dns     *net.DNSError
		network net.Error
	)
	switch {
	case errors.As(err, &local):
		return diagnosis{cause: clean(local.Error(), 400), complete: true}
	case errors.Is(err, context.Canceled):
		return diagnosis{cause: "given up before an answer came", complete: true}
	case errors.As(err, &proxy):
		return diagnosis{cause: clean(proxy.Error(), 200), advice: proxyAdvice, complete: true}
	case errors.As(err, &unknown), errors.As(err, &roots):
		return diagnosis{cause: "the server's certificate is signed by a CA that is not trusted here", advice: caAdvice}
	case errors.As(err, &name):
		return diagnosis{cause: "the server's certificate is for another host",
			advice: "check the token URL and the DNS; a proxy or captive portal may answer in place of <host>"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return diagnosis{cause: "the server's certificate is not valid at the local time", advice: clockAdvice +
			"; if the clock is right, see who answers in place of <host>"}
	case isCertificateError(err):
		return diagnosis{cause: "the server's certificate can't be verified", advice: caAdvice}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return diagnosis{cause: "the server does not speak TLS", advice: "check the token URL and the proxy"}
	case errors.As(err, &dns):
		return diagnosis{cause: "the host name can't be resolved", advice: "check /etc/resolv.conf and the name; " +
			networkAdvice}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return diagnosis{cause: "no answer in time", advice: networkAdvice}
	}
	return diagnosis{cause: "no connection", advice: networkAdvice}
}

// isCertificateError reports whether TLS failed over the server's certificate.
func isCertificateError(err error) bool {
	var verification *tls.CertificateVerificationError
	var roots x509.SystemRootsError
	return errors.As(err, &verification) || errors.As(err, &roots)
}
