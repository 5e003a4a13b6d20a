package pgtest

import (
	"flag"
	"fmt"
	"strconv"
)

// FewChecks has the property tests of a package, which ask a database each time, try so
// many cases, unless the command line says how many. It comes before Main, and panics in a
// test program without such tests.
func FewChecks(checks int) {
	const name = "rapid.checks"
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == name })
	if asked {
		return
	}
	if err := flag.Set(name, strconv.Itoa(checks)); err != nil {
		panic(fmt.Sprintf("pgtest: no property tests are here: %v", err))
	}
}
