package deliver

import (
	"sort"
	"time"
)

// The upper bounds of the histograms' buckets, in seconds and in bytes. A last one without a bound follows.
var (
	DelayBounds = [...]float64{.25, .5, 1, 2.5, 5, 15, 60, 5 * 60, 15 * 60, 60 * 60, 4 * 60 * 60, 24 * 60 * 60}
	SizeBounds  = [...]float64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20}
)

// Delays counts by DelayBounds how long after a message's arrival the server took it, for each recipient.
type Delays struct {
	Buckets [len(DelayBounds) + 1]int // each without those before it
	Sum     float64                   // seconds
}

// Sizes counts messages that the server took by SizeBounds.
type Sizes struct {
	Buckets [len(SizeBounds) + 1]int // each without those before it
	Sum     float64                  // bytes
}

func (d *Delays) add(delay time.Duration, recipients int) {
	d.Buckets[sort.SearchFloat64s(DelayBounds[:], delay.Seconds())] += recipients
	d.Sum += delay.Seconds() * float64(recipients)
}

func (s *Sizes) add(size int64) {
	s.Buckets[sort.SearchFloat64s(SizeBounds[:], float64(size))]++
	s.Sum += float64(size)
}
