//go:build !race

package platform

const raceDetector = false
