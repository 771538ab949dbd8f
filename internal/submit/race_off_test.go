//go:build !race

package submit

// raceDetector is true when the race detector is at work, which drops pooled buffers at random.
const raceDetector = false
