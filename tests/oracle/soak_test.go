package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSoak plays as many seeds as ORACLE_SEEDS says, from ORACLE_FIRST or 1 on.
// Those that the file ORACLE_LOG, or tests/.cache/oracle.log, calls green are not
// played again, so that a soak goes on where it was stopped. What failed is
// played again, and belongs into found_test.go.
//
// ORACLE_EVERY leaves out all but every so manieth. Without ORACLE_SEEDS there is
// nothing for it to do: make soak sets it.
func TestSoak(t *testing.T) {
	most, _ := strconv.ParseUint(os.Getenv("ORACLE_SEEDS"), 10, 64)
	if most == 0 {
		return
	}
	every, _ := strconv.ParseUint(os.Getenv("ORACLE_EVERY"), 10, 64)
	every = max(every, 1)
	first, _ := strconv.ParseUint(os.Getenv("ORACLE_FIRST"), 10, 64)
	first = max(first, 1)
	path := os.Getenv("ORACLE_LOG")
	if path == "" {
		path = "../.cache/oracle.log"
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	done, err := readSoak(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	binary := buildProgram(t)
	green, red, deaths := 0, 0, 0
	for seed := first; seed < first+most; seed++ {
		if _, ok := done[seed]; ok || seed%every > 0 {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := settingsOf(seed)
			var parts faults
			if seed%20 == 0 { // half of the seeds with takeovers kill processes
				parts.binary = binary
			}
			began := time.Now()
			counts, err := playAndCount(t, s, parts)
			word := "green"
			if err != nil {
				t.Errorf("%s\n%v", s, err)
				word = "red"
				red++
			} else {
				green++
			}
			if counts[killed] > 0 {
				deaths++
			}
			why := ""
			if err != nil {
				why, _, _ = strings.Cut(fmt.Sprintf(" %q", err.Error()), `\n`)
			}
			fmt.Fprintf(file, "%s %d %dms killed=%d drained=%d truncates=%v outages=%v processes=%v%s\n",
				word, seed, time.Since(began).Milliseconds(), counts[killed], counts[drained], s.truncates, s.outages, parts.binary != "", why)
		})
	}
	t.Logf("%d seeds green now and %d before, %d red; %d of now's with gateways killed; the log is %s", green, len(done), red, deaths, path)
}

// readSoak gives the seeds that a log calls green.
func readSoak(path string) (map[uint64]struct{}, error) {
	done := make(map[uint64]struct{})
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		number, _, _ := strings.Cut(rest, " ")
		if seed, err := strconv.ParseUint(number, 10, 64); err == nil && word == "green" {
			done[seed] = struct{}{}
		}
	}
	return done, lines.Err()
}
