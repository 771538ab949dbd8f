// Package smtpd is the SMTP server that local programs speak to: on the agent's Unix
// socket, on its TCP listener and on the standard input of sendmail -bs. The library
// github.com/emersion/go-smtp holds the dialogue; a filter in front of it understands
// what callers of sendmail write (lines that end in LF alone, bare local names, quoted
// local parts), bounds every wait, and lets no line end but the client's own end a
// message. The package stores nothing and delivers nothing: a Handler does.
package smtpd
