package main

import (
	"fmt"
	"io"

	"github.com/realtime-gw/realtime-gw/internal/simulate"
)

// follow names what a person can watch.
func (s *devState) follow(c simulate.Current) {
	s.Tag = simulate.Tag
	s.RunID, s.V2RunID, s.BatchID = c.Legacy.String(), c.V2.String(), c.Batch.String()
}

// print says what runs where, and what to do next.
func (s *devState) print(out io.Writer) {
	fmt.Fprintf(out, `
realtime-gw is ready.

  gateway   %s
  API key   %s
  database  %s

`, s.URL, s.APIKey, s.DatabaseURL)
	curl := func(path string) {
		fmt.Fprintf(out, "  curl -s -H 'Authorization: Bearer %s' '%s%s'\n\n", s.APIKey, s.URL, path)
	}
	if s.Tag == "" {
		fmt.Fprintln(out, "The tables are quiet. Subscribe to a tag, then insert rows with it:")
		curl("/realtime/v1/runs?tags=demo&offset=-1")
		return
	}
	fmt.Fprint(out, "Simulated tasks are writing to both run tables. Their runs, by tag, by batch and one by one:\n\n")
	curl("/realtime/v1/runs?tags=" + s.Tag + "&offset=-1")
	curl("/realtime/v1/batches/" + s.BatchID + "?offset=-1")
	curl("/realtime/v1/runs/" + s.RunID + "?offset=-1")
	fmt.Fprintf(out, `Follow them with the platform's SDK (npm install @trigger.dev/sdk), as watch.mjs:

  import { configure, runs } from "@trigger.dev/sdk";
  configure({ baseURL: "%s", accessToken: "%s" });
  for await (const run of runs.subscribeToRunsWithTag("%s")) console.log(run.id, run.status);

Ctrl-C stops everything.
`, s.URL, s.APIKey, s.Tag)
}
