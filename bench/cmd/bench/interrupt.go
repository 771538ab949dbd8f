package main

import (
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

var (
	interrupted    atomic.Bool
	errInterrupted = errors.New("interrupted")
)

// heedSignals lets the run come to its end in order when it is to stop, so that what it has
// mounted and written goes: who is measured dies, nothing new is started, and whoever waits
// is told. The second signal ends everything at once.
func heedSignals() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		interrupted.Store(true)
		if os.Getpid() == 1 { // all others are below us in our own namespace
			_ = syscall.Kill(-1, syscall.SIGKILL)
		}
		<-signals
		os.Exit(1)
	}()
}
