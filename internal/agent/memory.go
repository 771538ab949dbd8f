package agent

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// usualMemory is what the agent takes without a long queue, whatever its callers do, in bytes. Near it the
// garbage collector works more often: what callers make it allocate and drop must not double it.
const usualMemory = 36 << 20

// boundMemory sets that bound, unless whoever started the service set one (GOMEMLIMIT).
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(usualMemory)
	}
}

// followMemory raises the bound for what is really in use, as an index of a long queue, so that the
// collector does not work for nothing.
func followMemory() {
	if os.Getenv("GOMEMLIMIT") != "" || debug.SetMemoryLimit(-1) == math.MaxInt64 {
		return // it is not ours, or there is none
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	debug.SetMemoryLimit(max(usualMemory, int64(live[0].Value.Uint64()/2*3)))
}
