package smtpd

import (
	"io"
	"net"
	"strings"
	"testing"
)

// TestPlainReplies writes as the library does, a long line in several pieces.
func TestPlainReplies(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	c := NewConn(ours, Timeouts{})
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(theirs)
		got <- string(b)
	}()
	for _, piece := range []string{
		"250 2.0.0 Roger, accepting mail from <a@b.c>\r\n",
		"250 2.0.0 I'll make sure <" + strings.Repeat("x", 4000), strings.Repeat("x", 100), "> gets this\r\n",
		"250 2.0.0 I have successfully done nothing\r\n",
		"550 5.1.1 Roger, accepting mail from <a@b.c>\r\n",
		"250-2.0.0 x: ", "250 2.0.0 Roger, accepting mail from <a@b.c>\r\n",
		"221 2.0.0 Bye\r\n",
	} {
		if n, err := c.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	c.Close()
	const want = "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n250 2.0.0 ok\r\n550 5.1.1 Roger, accepting mail from <a@b.c>\r\n" +
		"250-2.0.0 x: 250 2.0.0 Roger, accepting mail from <a@b.c>\r\n221 2.0.0 Bye\r\n"
	if s := <-got; s != want {
		t.Errorf("got %q, want %q", s, want)
	}
}
