// Package logwriter has one goroutine write what many log, so that nobody who answers a
// request waits for the file, and what is logged at one time is one call of the system.
//
//	lines := logwriter.New(os.Stderr)
//	defer lines.Close()
//	log := zerolog.New(lines)
//
// The first line after a while is written at once. After that others are gathered for
// [Linger], in which who logs only copies a line: waking a goroutine costs him more than
// that, and on a machine that has little to do everybody else waits for it, too.
//
// Nothing is dropped: whoever logs while [MaxWaiting] is used up waits. A line of level error
// or above is written when its call returns, with all before it, since a process that
// fails may be about to end; a warning is not gathered. Of other lines those of the last
// Linger are lost with a process that is killed.
package logwriter
