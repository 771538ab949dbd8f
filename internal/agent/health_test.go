package agent

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestGreetEndsWithTheAgent: the look at the own socket does not hold up the end when the
// socket outlives the agent and takes its call in nobody's name.
func TestGreetEndsWithTheAgent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- greet(ctx, l.Addr(), time.Minute) }()
	c, err := l.Accept() // it has called, and waits
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a greeting that nobody gave")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it still waits for a greeting")
	}
}
