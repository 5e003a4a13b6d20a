package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what the figures depend on, as a list.
func machine(st *stack) string {
	return fmt.Sprintf(`- %s, %d of its cores, %s of memory
- Linux %s, %s, Postgres %d (private, nothing synced to disk)
- upstream: realtime-gw shapes; gateway: realtime-gw serve, logging as in production; client: this program; all on this machine
- load average at the beginning: %s
`,
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), field("/proc/meminfo", "MemTotal"),
		file("/proc/sys/kernel/osrelease"), runtime.Version(), st.postgres.Version(), loadAverage())
}

// loadAverage is that of one, five and fifteen minutes.
func loadAverage() string {
	words := strings.Fields(file("/proc/loadavg"))
	return strings.Join(words[:min(3, len(words))], " ")
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

// cpuTime is what a process has used so far, user and system, to 10 ms.
func cpuTime(pid int) time.Duration {
	text := file(fmt.Sprintf("/proc/%d/stat", pid))
	words := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const utime, stime = 11, 12 // counted from behind the name
	if len(words) <= stime {
		return 0
	}
	ticks := int64(0)
	for _, w := range words[utime : stime+1] {
		n, _ := strconv.ParseInt(w, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
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
