//go:build race

package flight

// raceDetector says that this is built with it. A sync.Pool drops some of what it is given then.
const raceDetector = true
