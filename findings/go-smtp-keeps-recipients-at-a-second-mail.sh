#!/bin/bash
# The server of github.com/emersion/go-smtp 0.26.0 answers 250 to a MAIL inside of a transaction, where RFC 5321 4.1.4 wants
# 503, and calls Session.Mail again without Reset. Its own list of recipients stays: DATA without another RCPT gets 354. A
# Session that sets the sender in Mail and adds to its recipients in Rcpt, as a backend is written by the README, hands the
# second sender's message to the first one's recipients; one that starts over in Mail has a message to nobody. A backend must
# refuse the second MAIL itself. The library also answers 502 where RFC 5321 has 503, and 500 to an unknown parameter (555).
# Needs go; fetches the pinned module into a temporary folder. Ends with 1 when that changes, 2 when it can't run.
set -euo pipefail
command -v go >/dev/null || { echo "it needs go"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'E'
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/emersion/go-smtp"
)

type session struct {
	from string
	to   []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = append(s.to, to); return nil }
func (s *session) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	fmt.Println("message from", s.from, "to", s.to)
	return err
}
func (s *session) Reset()        { *s = session{} }
func (s *session) Logout() error { return nil }

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{}, nil }))
	go s.Serve(l)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	fmt.Fprint(c, "EHLO x\r\nRCPT TO:<a@example.org>\r\nMAIL FROM:<one@example.org> FOO=1\r\nMAIL FROM:<one@example.org>\r\n"+
		"RCPT TO:<a@example.org>\r\nMAIL FROM:<two@example.org>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
	all, _ := io.ReadAll(c)
	var codes []string
	for _, line := range strings.Split(string(all), "\r\n") {
		if len(line) > 3 && line[3] == ' ' {
			codes = append(codes, line[:3])
		}
	}
	fmt.Println("codes", strings.Join(codes, " "))
}
E
{ go mod init try && go get github.com/emersion/go-smtp@v0.26.0; } >log 2>&1 || { cat log; exit 2; }
grep -o 'github.com/emersion/go-smtp v[0-9.]*' go.mod
go run . | tee out
grep -qx 'message from two@example.org to \[a@example.org\]' out &&
	grep -qx 'codes 220 250 502 500 250 250 250 354 250 221' out || { echo "CHANGED"; exit 1; }
