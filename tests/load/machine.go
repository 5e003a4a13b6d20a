package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is what the figures depend on, as a list.
func (l *lab) machine() string {
	return fmt.Sprintf(`- %s, %d of its cores, %s of memory
- Linux %s, %s, Postgres %d (private, nothing synced to disk)
- upstream: realtime-gw shapes; gateway: realtime-gw serve, logging as in production, to a file; clients: this program; all on this machine
- descriptors that a process may have: %d%s
- load average at the beginning: %s
`,
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), field("/proc/meminfo", "MemTotal"),
		file("/proc/sys/kernel/osrelease"), runtime.Version(), l.postgres.Version(), l.descriptors, l.few(), loadAverage())
}

// loadAverage is that of one, five and fifteen minutes.
func loadAverage() string {
	words := strings.Fields(file("/proc/loadavg"))
	return strings.Join(words[:min(3, len(words))], " ")
}

// hosted is the processor time that this machine had so far, and what its host gave to
// others while it wanted it, as virtual machines are told. Where that is much, all that is
// measured in milliseconds is long.
type hosted struct{ had, stolen int64 } // in ticks

func hostedSoFar() (h hosted) {
	line, _, _ := strings.Cut(file("/proc/stat"), "\n")
	const idle, waiting, stolen, guests = 4, 5, 8, 9 // counted behind the name; what guests had is in the others
	for i, word := range strings.Fields(line) {
		n, _ := strconv.ParseInt(word, 10, 64) // the name is 0
		switch {
		case i == stolen:
			h.stolen = n
		case i != idle && i != waiting && i < guests:
			h.had += n
		}
	}
	return h
}

// since says how much of what was wanted since before went to others, as far as the host
// tells.
func (h hosted) since(before hosted) string {
	if h.stolen == 0 {
		return "none, or it does not tell"
	}
	stolen := h.stolen - before.stolen
	return fmt.Sprintf("%.0f %%", 100*float64(stolen)/float64(max(1, stolen+h.had-before.had)))
}

// file is a file's text, or "" where there is no such file.
func file(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// field finds a value in a file of lines "name: value".
func field(path, name string) string {
	for line := range strings.Lines(file(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// cpuTime is what a process has used so far, user and system. It is that of its threads
// as they are, which for these programs come and do not go: the process's own figure
// counts by 10 ms.
func cpuTime(pid int) (sum time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is right
	for _, thread := range threads {
		running, _, _ := strings.Cut(file(thread), " ")
		ns, _ := strconv.ParseInt(running, 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}

// cpu is what processes have used, user and system.
type cpu struct{ server, upstream, clients time.Duration }

// used is what a server, upstreams and this program have used so far.
func used(server *child, upstreams ...*child) (c cpu) {
	if server != nil {
		c.server = cpuTime(server.pid)
	}
	for _, u := range upstreams {
		c.upstream += cpuTime(u.pid)
	}
	c.clients = cpuTime(os.Getpid())
	return c
}

// since is what came on top of before, for each of n.
func (c cpu) since(before cpu, n int) cpu {
	d := time.Duration(n)
	return cpu{(c.server - before.server) / d, (c.upstream - before.upstream) / d, (c.clients - before.clients) / d}
}

// seconds writes all three.
func (c cpu) seconds() string {
	return fmt.Sprintf("%.2f, %.2f, %.2f", c.server.Seconds(), c.upstream.Seconds(), c.clients.Seconds())
}

// ticks is the same as cpuTime, to 10 ms, and costs less to find out.
func ticks(pid int) time.Duration {
	text := file(fmt.Sprintf("/proc/%d/stat", pid))
	words := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const utime, stime = 11, 12 // counted from behind the name
	if len(words) <= stime {
		return 0
	}
	user, _ := strconv.Atoi(words[utime])
	system, _ := strconv.Atoi(words[stime])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
}

// resetPeak makes a process's peak memory what it uses now.
func resetPeak(pid int) {
	// Where that is not allowed the peak is that of the whole run: still true.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// peakMemory is the most that a process has used since resetPeak, in bytes.
func peakMemory(pid int) int64 {
	kb, _ := strconv.ParseInt(strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"), " kB"), 10, 64)
	return kb << 10
}

// resident is how much memory a process uses now.
func resident(pid int) int64 {
	kb, _ := strconv.ParseInt(strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), " kB"), 10, 64)
	return kb << 10
}

// enough is how many descriptors a process needs that may be asked for all of this.
const enough = 40_000

// few says so where a process may have less descriptors than enough.
func (l *lab) few() string {
	if l.descriptors >= enough {
		return ""
	}
	return fmt.Sprintf(", which is the system's hard limit: what takes more, up to %d, is left out below, and said to be", enough)
}

// raise lets this process and its children have as many descriptors as the system
// allows, and says how many those are.
func raise() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	more := syscall.Rlimit{Cur: enough, Max: max(limit.Max, enough)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil { // root may
		return enough, nil
	}
	limit.Cur = limit.Max
	return int(limit.Max), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
