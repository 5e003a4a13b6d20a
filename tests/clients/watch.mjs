// Follows the runs of `realtime-gw dev` with the platform's SDK: those with the
// tag of its simulated workload, those of a batch, and two runs by themselves,
// one in each of the two tables.
//
//   npm install @trigger.dev/sdk
//   node watch.mjs [.realtime-gw/dev.json]

import { readFile } from "node:fs/promises";
import { configure, runs } from "@trigger.dev/sdk";

const dev = JSON.parse(await readFile(process.argv[2] ?? ".realtime-gw/dev.json", "utf8"));
configure({ baseURL: dev.url, accessToken: dev.apiKey });

async function watch(name, subscription) {
  for await (const run of subscription) {
    console.log(name, run.id, run.taskIdentifier, run.status, JSON.stringify(run.metadata ?? {}));
  }
}

await Promise.all([
  watch("tag", runs.subscribeToRunsWithTag(dev.tag)),
  watch("batch", runs.subscribeToBatch(dev.batchId)),
  watch("run", runs.subscribeToRun(dev.runId)),
  watch("run", runs.subscribeToRun(dev.v2RunId)),
]);
