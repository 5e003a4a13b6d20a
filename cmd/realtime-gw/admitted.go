package main

import (
	"encoding/json"
	"errors"
	"strings"
)

// admitted is how many calls an Electric may be asked for at the same time: those that
// may make a shape, and those that name a handle. Zero: what it admits by itself.
type admitted struct{ new, known int }

// parseAdmitted reads ELECTRIC_MAX_CONCURRENT_REQUESTS as Electric does, and leaves a
// fifth of it to whoever else asks the same Electric. Empty: nothing was set there.
func parseAdmitted(text string) (a admitted, err error) {
	if text == "" {
		return a, nil
	}
	var set struct{ Initial, Existing *int }
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil || d.More() {
		return a, errors.New(`is not of the form {"initial":300,"existing":10000}`)
	}
	for _, n := range []struct{ set, to *int }{{set.Initial, &a.new}, {set.Existing, &a.known}} {
		if n.set == nil {
			continue
		}
		if *n.set < 2 {
			return a, errors.New("admits less than two calls")
		}
		*n.to = *n.set * 4 / 5
	}
	return a, nil
}
