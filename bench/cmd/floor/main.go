// Command floor is the least that a sendmail program can do: the yardstick of the
// benchmarks. It takes everything for granted, knows no configuration, decides nothing,
// keeps no log and ends at the first surprise. It is no mailer and never becomes one.
//
//	floor [flags] RCPT          sends standard input at once
//	floor [flags] -put DIR      commits standard input to DIR; with -start, starts a -drain of it
//	floor [flags] -drain DIR    sends what is in DIR and removes it
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

type options struct {
	addr, user, tokenFile, caFile, from, to string
	tokenURL, tokenRequest                  string
	put, drain                              string
	start                                   bool
	sessions, ahead                         int
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "", "the relay, HOST:PORT")
	flag.StringVar(&o.user, "user", "", "the mailbox that signs in")
	flag.StringVar(&o.tokenFile, "token-file", "", "a file that holds the access token")
	flag.StringVar(&o.tokenURL, "token-url", "", "where a token is asked for in place of -token-file")
	flag.StringVar(&o.tokenRequest, "token-request", "", "with -token-url, the form that is posted there")
	flag.StringVar(&o.caFile, "ca-file", "", "the trusted authorities, PEM")
	flag.StringVar(&o.from, "from", "", "the envelope sender")
	flag.StringVar(&o.to, "to", "", "the recipient of what -drain sends")
	flag.StringVar(&o.put, "put", "", "commit standard input to this directory")
	flag.StringVar(&o.drain, "drain", "", "send what is in this directory")
	flag.BoolVar(&o.start, "start", false, "with -put, start a -drain and do not wait for it")
	flag.IntVar(&o.sessions, "sessions", 3, "sessions of -drain")
	flag.IntVar(&o.ahead, "ahead", 8, "messages of -drain that may be on their way in one session")
	flag.Parse()
	switch {
	case o.put != "":
		o.queue()
	case o.drain != "":
		o.empty()
	default:
		s := o.dial()
		o.to = flag.Arg(0)
		s.expect(s.send(&o, os.Stdin))
	}
}

// must ends the program: whoever measures sees the exit status.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// session is a signed-in connection.
type session struct {
	conn    net.Conn
	buf     []byte // what has come in and is not read yet
	in, out []byte // kept from message to message
}

// dial connects and signs in. Token and authorities are read while packets travel.
func (o *options) dial() *session {
	pools, tokens := make(chan *x509.CertPool, 1), make(chan string, 1)
	go func() {
		pem, err := os.ReadFile(o.caFile)
		must(err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		pools <- pool
		tokens <- o.token(pool)
	}()
	conn, err := net.Dial("tcp", o.addr)
	must(err)
	s := &session{conn: conn, in: make([]byte, 128<<10), out: make([]byte, 0, 136<<10)}
	s.expect(1)
	s.say("EHLO floor.test\r\n")
	s.say("STARTTLS\r\n")
	host, _, _ := net.SplitHostPort(o.addr)
	s.conn = tls.Client(conn, &tls.Config{ServerName: host, RootCAs: <-pools})
	s.say("EHLO floor.test\r\n")
	s.say("AUTH XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user="+o.user+"\x01auth=Bearer "+<-tokens+
		"\x01\x01")) + "\r\n")
	return s
}

// token reads the token, or asks for one.
func (o *options) token(pool *x509.CertPool) string {
	if o.tokenURL == "" {
		text, err := os.ReadFile(o.tokenFile)
		must(err)
		return strings.TrimSpace(string(text))
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(o.tokenURL, "https://"), "/")
	conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool})
	must(err)
	_, err = fmt.Fprintf(conn, "POST /%s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", path, host, len(o.tokenRequest), o.tokenRequest)
	must(err)
	reply, err := io.ReadAll(conn)
	must(err)
	_, rest, _ := strings.Cut(string(reply), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// say sends a command and awaits its reply.
func (s *session) say(command string) {
	_, err := io.WriteString(s.conn, command)
	must(err)
	s.expect(1)
}

// expect awaits a number of positive replies.
func (s *session) expect(replies int) {
	read := make([]byte, 2048)
	for replies > 0 {
		end := bytes.IndexByte(s.buf, '\n')
		if end < 0 {
			n, err := s.conn.Read(read)
			must(err)
			s.buf = append(s.buf, read[:n]...)
			continue
		}
		line := s.buf[:end+1]
		s.buf = s.buf[end+1:]
		if len(line) < 4 || line[0] != '2' {
			must(fmt.Errorf("the relay says %q", line))
		}
		if line[3] == ' ' {
			replies--
		}
	}
}

// send writes a whole transaction and returns how many replies are due. Line ends become
// CRLF piece by piece.
func (s *session) send(o *options, message io.Reader) (replies int) {
	out, in := fmt.Appendf(s.out[:0], "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n", o.from, o.to), s.in
	replies = 2
	for {
		n, err := io.ReadFull(message, in)
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if !last {
			must(err)
		}
		piece := in[:n]
		lines := bytes.Count(piece, []byte{'\n'})
		tail := ""
		if last {
			tail = " LAST"
		}
		out = fmt.Appendf(out, "BDAT %d%s\r\n", n+lines, tail)
		for len(piece) > 0 {
			end := bytes.IndexByte(piece, '\n')
			if end < 0 {
				out = append(out, piece...)
				break
			}
			out = append(append(out, piece[:end]...), '\r', '\n')
			piece = piece[end+1:]
		}
		_, err = s.conn.Write(out)
		must(err)
		out, replies = out[:0], replies+1
		if last {
			return replies
		}
	}
}
