package runid_test

import (
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

func ExampleHome() {
	fmt.Println(runid.Home("2x3QYqyfhGGSxoJBv8DCrdTTpeb"))
	fmt.Println(runid.Home("cmfq2lo3svto89wr23ltxdtig"))
	fmt.Println(runid.Home("anything else"))
	// Output:
	// v2
	// legacy
	// legacy
}

func ExampleParseRun() {
	id, err := runid.ParseRun("run_2x3QYqyfhGGSxoJBv8DCrdTTpeb")
	fmt.Println(id, id.Home(), err)
	_, err = runid.ParseRun("run_a_b")
	fmt.Println(err)
	// Output:
	// run_2x3QYqyfhGGSxoJBv8DCrdTTpeb v2 <nil>
	// "run_a_b" is not the id of a run, which reads run_<id>: it holds something other than letters, digits and dashes
}
