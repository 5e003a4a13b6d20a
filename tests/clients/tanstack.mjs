// Follows feeds with collections of TanStack DB.
//
//   node tanstack.mjs '{"url": ..., "sse": <bool>, "feeds": [{"kind": "tag" | "batch" | "run", "id", "token", "from"}]}'
//
// "from" is what {"do": "keep", "feed"} was answered with: a collection, to go on
// from. {"do": "await", "feed", "txid"} is answered when the collection has a
// transaction.

import { DbClient, collectionOptions } from "@tanstack/db";
import { electricCollectionOptions } from "@tanstack/electric-db-collection";
import { emit, obey, reportFetch, source } from "./events.mjs";

const spec = JSON.parse(process.argv[2]);
reportFetch();
const db = new DbClient();

for (const { id, from } of spec.feeds) if (from) db.applyCollectionChunk({ ...from, collectionId: id });
const collections = Object.fromEntries(spec.feeds.map((feed) => [feed.id, follow(feed)]));

obey({
  keep: ({ feed }) =>
    emit("kept", { feed, state: db.dehydrate().collections.find((chunk) => chunk.collectionId === feed) }),
  await: ({ feed, txid }) =>
    collections[feed].utils.awaitTxId(txid, 120_000).then(
      () => emit("transaction", { feed, txid }),
      (error) => emit("error", { feed, message: String(error) }),
    ),
});

function follow({ kind, id, token }) {
  const options = {
    id,
    getKey: (row) => row.id,
    startSync: true,
    shapeOptions: {
      ...source(spec.url, kind, id),
      headers: { Authorization: `Bearer ${token}` },
      liveSse: spec.sse,
      onError: (error) => emit("error", { feed: id, message: String(error) }),
    },
  };
  const collection = db.collection(collectionOptions(id, () => electricCollectionOptions(options)));
  collection.onFirstReady(() => emit("rows", { feed: id, rows: {} }));
  collection.subscribeChanges(
    (changes) => {
      const rows = changes.map(({ type, key, value }) => [key, type === "delete" ? null : columns(value)]);
      emit("rows", { feed: id, rows: Object.fromEntries(rows) });
    },
    { includeInitialState: true },
  );
  return collection;
}

// A row without what the collection adds of its own, all of which begins with $.
function columns(row) {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("$")));
}
