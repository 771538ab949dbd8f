//go:build !race

package deliver

const raceDetector = false
