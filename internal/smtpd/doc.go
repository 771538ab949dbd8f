// Package smtpd is the SMTP server that local programs speak to: on the agent's Unix socket, on its TCP listener and
// on the standard input of sendmail -bs. The package stores nothing and delivers nothing: a Handler does.
//
// The library github.com/emersion/go-smtp holds the session: the greeting, EHLO with what the server offers, RSET,
// QUIT and the end. The mail transaction (MAIL, RCPT, DATA, BDAT) and what may come inside of one are done beside it,
// by calls of the same smtp.Session. There the library goes other ways than RFC 5321, 1870, 2034, 3030 and 3461: it
// answers 502 for 503 and 500 for 555, forgets a transaction at a second MAIL, knows few types of ORCPT, unquotes
// local parts. It also has no notion of lines that end in LF alone, which callers of sendmail write.
package smtpd
