package main

import "fmt"

// bound is what a figure has to be.
type bound struct {
	what  string
	got   float64
	most  float64 // 0: there is a least
	least float64
	timed bool // depends on how fast the machine is just now
}

func (b bound) met() bool {
	if b.most > 0 {
		return b.got <= b.most
	}
	return b.got >= b.least
}

func (b bound) String() string {
	word, limit := "at most", b.most
	if b.most == 0 {
		word, limit = "at least", b.least
	}
	return fmt.Sprintf("%s: %.3g, %s %.3g", b.what, b.got, word, limit)
}

// hold compares figures with their bounds, and notes what is missed.
func (l *lab) hold(bounds ...bound) {
	for _, b := range bounds {
		word := "kept"
		if !b.met() {
			word = "**missed**"
			if !b.timed || !l.untimed {
				l.missed = append(l.missed, b.String())
			}
		}
		l.say("- %s: %s\n", b, word)
	}
	l.say("\n")
}

// say writes to the report.
func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.out, format, args...) }
