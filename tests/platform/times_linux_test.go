package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// times are processor times.
type times struct {
	postgres, redis, program, caller time.Duration
	machine, idle                    time.Duration // what there was, and what nobody wanted of it
}

// since is what was taken after earlier times, for each of so many runs; that of the
// machine is not divided.
func (u times) since(before times, runs int) times {
	each := func(after, before time.Duration) time.Duration { return (after - before) / time.Duration(max(1, runs)) }
	return times{
		each(u.postgres, before.postgres), each(u.redis, before.redis), each(u.program, before.program), each(u.caller, before.caller),
		u.machine - before.machine, u.idle - before.idle,
	}
}

// times are those that were taken so far: Postgres', with all its processes, those that
// have ended as well; Redis'; the program's; this process's; and the machine's.
func (s *stage) times(t testing.TB, p *child) (u times) {
	t.Helper()
	pidFile, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(pidFile), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		own, ended, parent, err := timesOf(stat)
		switch {
		case err != nil: // it has ended
		case parent == postmaster:
			u.postgres += own
		case stat == fmt.Sprintf("/proc/%d/stat", postmaster):
			u.postgres += own + ended
		}
	}
	info, err := s.redis.Client(t).InfoMap(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	for pid, of := range map[string]*time.Duration{info["Server"]["process_id"]: &u.redis, strconv.Itoa(p.cmd.Process.Pid): &u.program} {
		if *of, _, _, err = timesOf("/proc/" + pid + "/stat"); err != nil {
			t.Fatal(err)
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	u.caller = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	all, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(all), "\n")
	for i, field := range strings.Fields(line)[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		u.machine += time.Duration(n) * tick
		if i == 3 || i == 4 {
			u.idle += time.Duration(n) * tick
		}
	}
	return u
}

// tick is the unit of /proc/*/stat on Linux.
const tick = 10 * time.Millisecond

// timesOf reads a process's stat file: the time that it has taken, that its children
// had when they ended, and who started it.
func timesOf(stat string) (own, ended time.Duration, parent int, err error) {
	text, err := os.ReadFile(stat)
	if err != nil {
		return 0, 0, 0, err
	}
	_, behind, _ := strings.Cut(string(text), ") ") // the name, which may hold anything but this, in ours
	fields := strings.Fields(behind)
	if len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("%s has %d fields", stat, len(fields))
	}
	var numbers [5]int
	for i, at := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		if numbers[i], err = strconv.Atoi(fields[at]); err != nil {
			return 0, 0, 0, fmt.Errorf("%s: %w", stat, err)
		}
	}
	return time.Duration(numbers[1]+numbers[2]) * tick, time.Duration(numbers[3]+numbers[4]) * tick, numbers[0], nil
}

// syncs is how often Postgres has synced its log.
func (s *stage) syncs(t testing.TB) (n int64) {
	t.Helper()
	if err := s.admin.QueryRow(t.Context(), `SELECT wal_sync FROM pg_stat_wal`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
