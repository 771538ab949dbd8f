// Package agentclient is the sendmail side of the agent's Unix socket: a small SMTP client
// that says everything in one flight and reads the answers. It knows no TLS, no HTTP and
// no configuration, so that a call of sendmail costs little. It keeps nothing: what the
// agent did not acknowledge is the caller's.
package agentclient
