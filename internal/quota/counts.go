package quota

// WaitBounds are the upper bounds of what counts waits for a slot, in seconds. A last one without a bound follows.
var WaitBounds = [...]float64{.01, .1, 1, 5, 20, 60, 300}

// Counts are what a membership has counted since it began.
type Counts struct {
	// Waits counts slots by WaitBounds, each without those before it; Waited is the sum, in seconds.
	Waits  [len(WaitBounds) + 1]int
	Waited float64
	// Refused counts messages that had to wait since the fleet's limits left no room.
	Refused int
}
