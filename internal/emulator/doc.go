// Package emulator is Microsoft 365 in a box, on loopback: an Entra token endpoint
// over HTTPS, managed identity endpoints over plain HTTP, and Exchange Online's SMTP
// submission. It is for tests and for cmd/m365-emulator, and it means to be as strict
// as the real service: tokens are signed and verified, every step of the
// administrator's set-up can be left undone, and the replies carry the texts that the
// real servers send. Where Microsoft publishes no text, a comment says "assumed".
//
// A test gets one in a line:
//
//	e := emulator.New(t)
//
// and then uses e.ConfigTOML, e.TokenURL, e.SMTPAddr, e.CAPool, and looks at
// e.Messages, e.Stats, e.Transcript. What the tenant looks like is a State, changed
// with Update; what goes wrong is a named fault (Faults, SetFault) or a Rule (Script).
//
// The package never relays a message, never connects to anything, and never shows a
// secret or a token in its transcript. It imports nothing but the standard library.
package emulator
