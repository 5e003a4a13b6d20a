// Follows feeds with the platform's SDK.
//
//   node sdk.mjs '{"url": ..., "feeds": [{"kind": "tag" | "batch" | "run", "id", "token"}]}'

import { emit, reportFetch } from "./events.mjs";

const spec = JSON.parse(process.argv[2]);
reportFetch();
const { auth, runs } = await import("@trigger.dev/sdk");

const subscribe = {
  tag: (id) => runs.subscribeToRunsWithTag(id),
  batch: (id) => runs.subscribeToBatch(id),
  run: (id) => runs.subscribeToRun(id, { stopOnCompletion: false }),
};

for (const { kind, id, token } of spec.feeds) {
  const config = { baseURL: spec.url, accessToken: token };
  await auth.withAuth(config, async () => void follow(id, subscribe[kind](id)));
}

async function follow(feed, subscription) {
  try {
    for await (const run of subscription) emit("run", { feed, run });
    emit("error", { feed, message: "the subscription ended" });
  } catch (error) {
    emit("error", { feed, message: String(error) });
  }
}
