package submit

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// FuzzServer has servers that say anything. After the greeting the session takes it for
// plain text; with tls set it starts where TLS and the sign-in are done.
func FuzzServer(f *testing.F) {
	f.Add([]byte("250-x\r\n250 STARTTLS\r\n220 go\r\n"), false)
	f.Add([]byte("250-x\r\n250 starttls\r\n220 go\r\n\x16\x03\x03\x00\x02\x01\x00"), false)
	f.Add([]byte("250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.0.0 OK\r\n"), true)
	f.Add([]byte("250 ok\r\n550 no\r\n250 ok\r\n432 4.3.2 busy\r\n"), true)
	f.Add([]byte("250 ok\r\n550 no\r\n550 no\r\n503 5.5.2 what\r\n250 reset\r\n"), true)
	f.Add([]byte("250 ok\r\n250 ok\r\n250 ok\r\n250 chunk\r\n250 taken\r\n421 4.4.1 bye\r\n"), true)
	f.Add([]byte("451 4.7.0 later\r\n503 x\r\n503 x\r\n503 x\r\n250 y\r\n"), true)
	f.Add([]byte("250-"), true)
	large := lines(chunkSize + 10)
	f.Fuzz(func(t *testing.T, in []byte, signedIn bool) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			if !signedIn {
				io.WriteString(server, "220 x\r\n")
			}
			go io.Copy(io.Discard, server)
			server.Write(in)
		}()
		cfg := Config{Host: testHost, User: "a@b.c", Token: func(context.Context) (string, error) { return "t", nil },
			DialContext:    func(context.Context, string, string) (net.Conn, error) { return client, nil },
			CommandTimeout: 2 * time.Second, DataTimeout: 2 * time.Second}
		if !signedIn {
			if s, err := Dial(context.Background(), cfg); err == nil {
				t.Fatalf("signed in to a server without a certificate: %+v", s)
			} else if _, ok := err.(*Error); !ok {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		cfg, _ = cfg.withDefaults()
		s := newSession(cfg, client)
		s.wire.lazy = false
		s.ext = parseExtensions(exchangeLines)
		for _, msg := range []text{hello, large, hello} {
			res, err := s.Send(context.Background(), to("a@x.org", "b@x.org"), msg)
			if res == nil || len(res.Recipients) != 2 || err != nil && res.Accepted() != 0 {
				t.Fatalf("result %+v, %v", res, err)
			}
			if res.Accepted() > 0 && !res.Reply.Positive() {
				t.Fatalf("taken with %+v", res.Reply)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n\x1b") {
				t.Fatalf("error text %q", err)
			}
		}
		s.Close()
	})
}
