package agent

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// childConfig makes the test program an agent with that configuration.
const childConfig = "AGENT_TEST_CONFIG"

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

// child is the agent as a process of its own.
func child(path string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	if err := Harden(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err := Run(ctx, Options{ConfigPath: path, HostName: "web1", Getenv: os.Getenv, Now: time.Now, Stderr: os.Stderr,
		Reload: reload})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
