package check

import (
	"slices"
	"strconv"
	"strings"
)

// upgrade is what mends an old Electric.
const upgrade = "run Electric 1.7.12 or later: electricsql/electric:1.7.12"

// What earlier versions do is in the messages.
var (
	keepsLogs   = []int{1, 2, 8}
	keepsSecret = []int{1, 7, 12}
)

// judgeVersion reads the electric-server header: ElectricSQL/1.7.12, or
// realtime-gw-embedded/1.7.12, whose number is that of the protocol.
func judgeVersion(name, server string) Line {
	product, number, _ := strings.Cut(server, "/")
	version, ok := parseVersion(number)
	switch {
	case !ok || product == "":
		return warn(name, upgrade, "it does not say which version of Electric it is (electric-server)")
	case slices.Compare(version, keepsLogs) < 0:
		return warn(name, upgrade, "Electric %s can lose a shape's log when it is not stopped cleanly, and does not say so (before 1.2.8); and whoever can reach it gets past its secret (before 1.7.12, GHSA-m4f6-p2j8-rq76): nobody but the gateway may reach it", dotted(version))
	case slices.Compare(version, keepsSecret) < 0:
		return warn(name, upgrade, "whoever can reach Electric %s gets past its secret (before 1.7.12, GHSA-m4f6-p2j8-rq76): nobody but the gateway may reach it", dotted(version))
	}
	return fine(name, "%s, version %s", printable(product), dotted(version))
}

// parseVersion takes three numbers with dots between them, and something behind
// them that begins with - or +.
func parseVersion(text string) ([]int, bool) {
	if at := strings.IndexAny(text, "-+"); at >= 0 {
		text = text[:at]
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	version := make([]int, 3)
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, false
		}
		version[i] = int(n)
	}
	return version, true
}

func dotted(version []int) string {
	var parts []string
	for _, n := range version {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ".")
}

// printable is a stranger's word, short and without what a terminal obeys.
func printable(word string) string {
	word = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, word)
	return word[:min(len(word), 40)]
}
