package main

import "testing"

// Electric's own setting is read as Electric reads it, and a fifth is left to others.
func TestAdmitted(t *testing.T) {
	for text, want := range map[string]admitted{
		"":                                 {},
		`{}`:                               {},
		`{"initial":300,"existing":10000}`: {new: 240, known: 8000},
		`{"existing": 30000}`:              {known: 24000},
		`{"initial":2}`:                    {new: 1},
	} {
		if got, err := parseAdmitted(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}
