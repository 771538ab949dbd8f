package agent

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// usualMemory is what the agent takes without a long queue, whatever its callers do, in bytes. Near
	// it the garbage collector works more often: what callers make it allocate and drop must not double it.
	usualMemory = 36 << 20
	// messageMemory is more than a message in the queue takes.
	messageMemory = 1 << 10
)

// boundMemory sets that bound, unless whoever started the service set one (GOMEMLIMIT).
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(usualMemory)
	}
}

// followMemory raises the bound for a queue of so many messages, so that the collector does not work for
// nothing.
func followMemory(messages int) {
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) != math.MaxInt64 {
		debug.SetMemoryLimit(usualMemory + int64(messages)*messageMemory)
	}
}
