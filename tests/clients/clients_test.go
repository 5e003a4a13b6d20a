package clients

import (
	"os"
	"regexp"
	"testing"

	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// client is a library under test.
type client struct {
	name, version string // npm's
	short         string // its name in the table
	module        string // what its driver imports
	script        string // its driver
	form          form
	sdk           generation // of a client whose form is runs

	// sse: it is asked to have live answers as a stream of events.
	sse bool
	// shape: its rows are kept by its own Shape, and not from a bare ShapeStream.
	shape bool
	// sendsVersion: its requests say the API version, so that it is given the
	// status DEQUEUED. All others are given EXECUTING in its place.
	sendsVersion bool
	// stops: it ends the subscription to a run when the run is over, whatever it
	// is told.
	stops bool
	// halves: it keeps rows to itself that came in an answer without up-to-date,
	// even when that comes, until the next row.
	halves bool
	// prints are lines that it writes to standard output by itself.
	prints []string
	// cannot is what it has no way to do, and why: by scenario and by kind of feed.
	cannot map[string]string
}

// form is what a client gives to its application.
type form int

const (
	rowsByKey form = iota // rows, by the key of their messages
	rowsByID              // rows, by their id
	runs                  // runs, by their friendly id; deletes are not told
)

func (c client) String() string { return c.name + " " + c.kind() }

// kind is the version, and how it is used.
func (c client) kind() string {
	switch {
	case c.sse:
		return c.version + " sse"
	case c.shape:
		return c.version + " Shape"
	}
	return c.version
}

// Reasons for a "-" in the table, as the sources of the packages have them.
const (
	// zodShapeStream (core's apiClient/stream.js, in 3.1 too) hands nothing on but
	// url, headers, fetch and signal.
	noPlace = "a subscription of the SDK neither takes nor gives a place to go on from"
	// v3/runs.js exports none.
	noBatches = "there is no runs.subscribeToBatch"
	// apiStatusFromRunStatus in core's apiClient/runStream.js.
	noWord  = "the SDK throws at a run of status PENDING_VERSION, which ends the subscription"
	noWords = "the SDK throws at a run of status PENDING_VERSION or TIMED_OUT, which ends the subscription"
)

// The names of the scenarios that not everyone can come through.
const (
	resuming = "resumed from a stored place"
	laterDay = "statuses that came with SDK 4"
)

// latestSDK is the folder of the newest SDK. None is called by its own name:
// npm would give that one's dependencies the common place, and all the older
// ones, which agree on theirs, a copy each.
const latestSDK = "trigger-sdk-4.8"

const electricClient = "@electric-sql/client"

// clients are those that every scenario is run with, of each kind the oldest
// first.
func clients() []client {
	const sdk = "@trigger.dev/sdk"
	stream := func(version, folder string) client {
		return client{name: electricClient, version: version, short: "electric", module: folder, script: "shapestream.mjs"}
	}
	subscriber := func(version, module string, g generation) client {
		c := client{
			name: sdk, version: version, short: "sdk", module: module, script: "sdk.mjs", form: runs, sdk: g,
			sendsVersion: g >= sdk40, cannot: map[string]string{resuming: noPlace},
		}
		if g == sdk3 {
			c.cannot[laterDay] = noWords
		}
		return c
	}
	streaming := func(c client) client {
		c.sse = true
		return c
	}
	tanstack := client{
		name: "@tanstack/electric-db-collection", version: "0.4.10", short: "tanstack", module: "@tanstack/electric-db-collection",
		script: "tanstack.mjs", form: rowsByID,
	}
	sdk31 := subscriber("3.1.2", "trigger-sdk-3.1/v3", sdk3)
	sdk31.stops = true
	sdk31.halves = true // its Shape (client 0.6.3, shape.ts) tells of a row only together with an up-to-date
	sdk31.cannot["batch"] = noBatches
	sdk336 := subscriber("3.3.6", "trigger-sdk-3.3.6/v3", sdk3)
	sdk336.stops = true
	sdk336.prints = []string{"Closing stream because run is complete"} // console.log in apiClient/runStream.js
	sdk3317 := subscriber("3.3.17", "trigger-sdk-3.3.17/v3", sdk3)
	sdk3317.cannot[laterDay] = noWord
	return []client{
		sdk31,
		sdk336,
		sdk3317,
		subscriber("4.0.4", "trigger-sdk-4.0", sdk40),
		subscriber("4.8.3", latestSDK, sdk48),
		stream("0.6.3", "electric-client-0.6"),
		stream("0.9.0", "electric-client-0.9"),
		stream("1.0.0-beta.1", "electric-client-1.0-beta"),
		stream("1.0.14", "electric-client-1.0"),
		stream("1.5.28", "electric-client-1.5"),
		tanstack,
		streaming(stream("1.0.14", "electric-client-1.0")),
		streaming(stream("1.5.28", "electric-client-1.5")),
		streaming(tanstack),
	}
}

// chosen are the clients whose name and version match the regular expression
// CLIENTS, if it is set.
func chosen(t *testing.T) []client {
	t.Helper()
	choice, err := regexp.Compile(os.Getenv("CLIENTS"))
	if err != nil {
		t.Fatalf("CLIENTS: %v", err)
	}
	var out []client
	for _, c := range clients() {
		if choice.MatchString(c.String()) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no client is called %q; there are %v", choice, clients())
	}
	return out
}

// TestVersions holds the list of clients against what is installed.
func TestVersions(t *testing.T) {
	for _, c := range clients() {
		if version, err := npm.Version(".", c.folder()); err != nil || version != c.version {
			t.Errorf("%v is %q in node_modules (%v)", c, version, err)
		}
	}
	db, err := npm.Version(".", "@tanstack/db")
	if err != nil || db != "0.9.2" {
		t.Errorf("@tanstack/db is %q (%v); electric-db-collection 0.4.10 wants exactly 0.9.2", db, err)
	}
}

// folder is the one in node_modules.
func (c client) folder() string {
	return regexp.MustCompile(`^(@[^/]+/)?[^/]+`).FindString(c.module)
}

// follows says whether the client can follow a feed.
func (c client) follows(s subscription) bool {
	_, cannot := c.cannot[s.Kind]
	return !cannot
}
