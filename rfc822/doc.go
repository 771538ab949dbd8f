// Package rfc822 is the message layer: it reads a message as programs hand it to
// sendmail, keeps every byte of its header, names its recipients, completes what is
// missing, and writes it in the form that SMTP carries.
//
// A message comes in with any line ends and any defects. It leaves in wire form: every line
// ends in CRLF, there is no bare CR or LF and no NUL, no line is longer than 998 bytes
// (RFC 5322 2.1.1), and the header is ASCII unless an address itself is not. One exception:
// the part that a multipart/signed message signs keeps its long lines.
//
// It never refuses a message for its looks, never holds a body in memory as a whole,
// never does network I/O, and knows nothing of the program's configuration.
package rfc822
