// Package ready starts an agent for a test and waits until it says that it is ready, and finds a port for it. The
// agent's log has to go to its standard error.
package ready

import (
	"bytes"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Output is what an agent has said so far.
type Output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	told  bool
}

// Write is for the agent's process.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if !o.told && bytes.Contains(o.text.Bytes(), []byte("the agent is ready")) {
		o.told = true
		close(o.ready)
	}
	return len(p), nil
}

// String returns all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start starts cmd and returns when the agent is ready. The caller ends it.
func Start(t testing.TB, cmd *exec.Cmd) *Output {
	t.Helper()
	o := &Output{ready: make(chan struct{})}
	cmd.Stderr = o
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-o.ready:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatalf("the agent does not start: %s", o)
	}
	return o
}
