package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scraped is what a program's metrics say, by name and labels as they stand there.
type scraped map[string]float64

// metricsOf waits until a program serves metrics, and gives the URL.
func metricsOf(t *testing.T, p *process) string {
	t.Helper()
	const key = `"metrics":"`
	for _, line := range strings.Split(p.err.until(t, key), "\n") {
		var said struct{ Metrics string }
		if strings.Contains(line, key) && json.Unmarshal([]byte(line), &said) == nil {
			return "http://" + said.Metrics
		}
	}
	t.Fatal("no line names the address of the metrics")
	return ""
}

// listens waits until a program takes requests, whatever it has logged before.
func listens(t *testing.T, p *process) string {
	t.Helper()
	for _, line := range strings.Split(p.err.until(t, `"message":"serving"`), "\n") {
		var said struct{ Addr, Message string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Message == "serving" {
			return "http://" + said.Addr
		}
	}
	t.Fatal("no line names the address")
	return ""
}

func scrape(t *testing.T, origin string) scraped {
	t.Helper()
	got := must(t, origin+"/metrics", "")
	if got.status != 200 {
		t.Fatalf("metrics: %d %s", got.status, got.body)
	}
	all := make(scraped)
	for _, line := range strings.Split(got.body, "\n") {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[line[:at]] = value
	}
	return all
}

// since is how much what begins with name has grown.
func (s scraped) since(before scraped, name string) float64 {
	if _, ok := s[name]; !ok {
		return -1
	}
	return s[name] - before[name]
}

// untilGrown waits until each of these has grown by so much since before. What the
// program counts at the end of a request it may count after its client has read it.
func untilGrown(t *testing.T, origin string, before scraped, want map[string]float64) scraped {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		now, wrong := scrape(t, origin), ""
		for name, grown := range want {
			if got := now.since(before, name); got != grown {
				wrong += fmt.Sprintf("\n%s has grown by %v, want %v", name, got, grown)
			}
		}
		if wrong == "" {
			return now
		}
		if time.Now().After(deadline) {
			t.Fatal(wrong)
		}
	}
}
