//go:build !race

package flight

const raceDetector = false
