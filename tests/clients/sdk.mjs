// Follows feeds with the platform's SDK.
//
//   node sdk.mjs '{"client": <module>, "url": ..., "feeds": [{"kind": "tag" | "batch" | "run", "id", "token"}]}'

import { catchRejections, emit, reportFetch } from "./events.mjs";

const spec = JSON.parse(process.argv[2]);
reportFetch();
catchRejections();
const { auth, runs } = await import(spec.client);

const subscribe = {
  tag: (id) => runs.subscribeToRunsWithTag(id),
  batch: (id) => runs.subscribeToBatch(id),
  run: (id) => runs.subscribeToRun(id, { stopOnCompletion: false }), // not heeded before 3.3.17
};

for (const { kind, id, token } of spec.feeds) {
  const config = { baseURL: spec.url, accessToken: token };
  await auth.withAuth(config, async () => void follow(id, subscribe[kind](id)));
}

async function follow(feed, subscription) {
  try {
    for await (const run of subscription) emit("run", { feed, run });
    emit("end", { feed });
  } catch (error) {
    emit("error", { feed, message: String(error) });
  }
}
