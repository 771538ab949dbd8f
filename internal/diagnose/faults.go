package diagnose

// Fault is a failure that no reply code names.
type Fault int

// The faults of a session that are not replies.
const (
	FaultResolve           Fault = iota // the host name has no address
	FaultConnect                        // no TCP connection
	FaultProxy                          // no connection through the proxy
	FaultDropped                        // the connection ended early
	FaultTimeout                        // the server stopped answering
	FaultCanceled                       // the caller's context ended
	FaultProtocol                       // the server broke SMTP
	FaultNoStartTLS                     // STARTTLS is not offered
	FaultInjected                       // text before TLS that was not encrypted
	FaultCertificate                    // the certificate is not valid for the host
	FaultTLS                            // the TLS handshake failed
	FaultTLSVersion                     // no TLS version in common
	FaultClientCertificate              // the relay does not take this host's certificate
	FaultNoXOAUTH2                      // AUTH XOAUTH2 is not offered
	FaultTooLarge                       // the message is larger than the server's SIZE
	FaultAddress                        // an address can't be sent
	FaultNoSMTPUTF8                     // an address or header needs SMTPUTF8
	FaultNo8BITMIME                     // the body needs 8BITMIME
	FaultChunking                       // CHUNKING is offered and BDAT refused
	FaultMessage                        // the message can't be read or is not in wire form
	lastFault              = FaultMessage
)

// Failure says what a failure means that no reply names.
func Failure(f Fault) Diagnosis {
	switch f {
	case FaultResolve:
		return Diagnosis{Class: Temporary, Key: "dns", Cause: "the server's name can't be resolved",
			Remedy: "check smtp.host and this machine's DNS"}
	case FaultConnect:
		return Diagnosis{Class: Temporary, Key: "connect", Cause: "the server can't be reached",
			Remedy: "open outbound 587/tcp in the firewall or at the hosting provider"}
	case FaultProxy:
		return Diagnosis{Class: Temporary, Key: "proxy", Cause: "the server can't be reached through the proxy",
			Remedy: "check smtp.proxy, and that the proxy answers and lets connections to port 587 of " +
				"smtp.host through"}
	case FaultDropped:
		return Diagnosis{Class: Temporary, Key: "connection-lost", Cause: "the connection ended early"}
	case FaultTimeout:
		return Diagnosis{Class: Temporary, Key: "timeout", Cause: "the server stopped answering"}
	case FaultCanceled:
		return Diagnosis{Class: Temporary, Key: "canceled", Cause: "given up before it was done"}
	case FaultProtocol:
		return Diagnosis{Class: Temporary, Key: "protocol", Cause: "the peer does not speak SMTP as it should",
			Remedy: "check smtp.host and smtp.port, and look for a firewall that inspects SMTP"}
	case FaultNoStartTLS:
		return Diagnosis{Class: Configuration, Key: "starttls-not-offered",
			Cause: "the server does not offer STARTTLS: an SMTP-inspecting firewall strips it, or this is " +
				"another server",
			Remedy: "allow port 587 unmodified, and check smtp.host and smtp.port"}
	case FaultInjected:
		return Diagnosis{Class: Configuration, Key: "starttls-injection",
			Cause:  "unencrypted text came after the answer to STARTTLS: somebody tampers with the connection",
			Remedy: "look for a device between this machine and the server that changes SMTP"}
	case FaultCertificate:
		return Diagnosis{Class: Configuration, Key: "certificate",
			Cause:  "the server's certificate is not valid for its name",
			Remedy: "check smtp.host, tls.ca_file and the clock, and look for a TLS-inspecting proxy"}
	case FaultTLS:
		return Diagnosis{Class: Temporary, Key: "tls", Cause: "the TLS handshake failed",
			Remedy: "look for a proxy or a local policy that changes TLS"}
	case FaultTLSVersion:
		return Diagnosis{Class: Configuration, Key: "tls-version",
			Cause:  "the server and this machine have no TLS version in common; 1.2 is the least",
			Remedy: "check tls.min_version, and look for a proxy that speaks an older TLS"}
	case FaultClientCertificate:
		return Diagnosis{Class: Configuration, Key: KeyClientCertificate, Cause: certificateRefused,
			Remedy: renewCertificate}
	case FaultNoXOAUTH2:
		return Diagnosis{Class: Configuration, Key: "xoauth2-not-offered",
			Cause: "the server does not offer AUTH XOAUTH2", Remedy: "check smtp.host and smtp.port"}
	case FaultTooLarge:
		return Diagnosis{Class: Permanent, Key: "message-too-large",
			Cause: "the message is larger than the server takes"}
	case FaultAddress:
		return Diagnosis{Class: Permanent, Key: "address-not-valid", Cause: "the address is not valid in SMTP"}
	case FaultNoSMTPUTF8:
		return Diagnosis{Class: Permanent, Key: "smtputf8-not-offered",
			Cause: "the server does not take addresses or headers outside ASCII"}
	case FaultNo8BITMIME:
		return Diagnosis{Class: Permanent, Key: "8bitmime-not-offered",
			Cause:  "the server does not take 8-bit bodies, and this one can't be encoded",
			Remedy: "sign mail after it was encoded in ASCII, or use a relay that offers 8BITMIME"}
	case FaultChunking:
		return Diagnosis{Class: Temporary, Key: KeyChunkingRefused,
			Cause: "the server offers CHUNKING and refuses BDAT", Remedy: `set smtp.chunking = "off"`}
	case FaultMessage:
		return Diagnosis{Class: Temporary, Key: "message-unreadable",
			Cause: "the message can't be read as it was accepted"}
	}
	return Diagnosis{Class: Temporary, Key: "other-temporary"}
}
