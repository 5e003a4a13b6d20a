package main

import (
	"fmt"
	"math"
)

// bound is what a figure has to be.
type bound struct {
	what  string
	got   float64
	limit float64 // the most that it may be
	least bool    // the limit is the least
	timed bool    // depends on the machine, and on what else it does
}

func (b bound) met() bool {
	if b.least {
		return b.got >= b.limit
	}
	return b.got <= b.limit
}

func (b bound) String() string {
	word := "at most"
	if b.least {
		word = "at least"
	}
	return fmt.Sprintf("%s: %s, %s %s", b.what, digits(b.got), word, digits(b.limit))
}

// digits writes three digits that count, or a whole number.
func digits(f float64) string {
	if f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
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
