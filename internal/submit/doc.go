// Package submit is an SMTP submission client (RFC 6409) for one kind of server:
// STARTTLS on port 587 and AUTH XOAUTH2, as Exchange Online has it.
//
// A Session sends one message after another on one connection. A message costs a
// single round trip where the server offers PIPELINING and CHUNKING: MAIL, every RCPT
// and the content go out in one flight (RFC 2920, RFC 3030). No peer can hold a Session
// longer than its deadlines, and after an I/O error or a broken protocol a Session is
// never used again.
//
// The package never sends anything but EHLO and STARTTLS unencrypted, never sends a bare
// CR or LF, never retries and never decides what becomes of a refused message: the Error
// says what is at fault. It reads no configuration file and keeps no token.
package submit
