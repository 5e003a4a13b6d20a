// Follows feeds with a bare ShapeStream and keeps their rows, as an application
// on Electric's client does.
//
//   node shapestream.mjs '{"client": <package>, "url": ..., "feeds": [{"kind": "tag" | "batch" | "run", "id", "token", "from"}]}'
//
// "from" is a stored place to go on from: {"handle", "offset", "rows"}.

import { emit, reportFetch } from "./events.mjs";

const spec = JSON.parse(process.argv[2]);
reportFetch();
const { ShapeStream, isChangeMessage, isControlMessage } = await import(spec.client);

for (const feed of spec.feeds) follow(feed);

function follow({ kind, id, token, from }) {
  const rows = new Map(Object.entries(from?.rows ?? {}));
  const stream = new ShapeStream({
    ...source(kind, id),
    headers: { Authorization: `Bearer ${token}` },
    ...(from && { handle: from.handle, offset: from.offset }),
    onError: (error) => emit("error", { feed: id, message: String(error) }),
  });
  let touched = new Set(); // keys, since the last up-to-date
  stream.subscribe((messages) => {
    for (const message of messages) {
      if (isChangeMessage(message)) {
        apply(rows, id, message);
        touched.add(message.key);
      } else if (isControlMessage(message)) {
        control(message.headers.control);
      }
    }
  });

  function control(word) {
    if (word === "must-refetch") {
      for (const key of rows.keys()) touched.add(key);
      rows.clear();
      emit("must-refetch", { feed: id });
    }
    if (word === "up-to-date") {
      const changed = Object.fromEntries([...touched].map((key) => [key, rows.get(key) ?? null]));
      touched = new Set();
      emit("up-to-date", { feed: id, rows: changed, handle: stream.shapeHandle, offset: stream.lastOffset });
    }
  }
}

function apply(rows, feed, { key, value, headers: { operation } }) {
  if (operation !== "insert" && !rows.has(key)) {
    emit("error", { feed, message: `${operation} of a row that was never inserted: ${key}` });
  }
  if (operation === "delete") rows.delete(key);
  else rows.set(key, operation === "update" ? { ...rows.get(key), ...value } : value);
}

function source(kind, id) {
  switch (kind) {
    case "tag":
      return { url: `${spec.url}/realtime/v1/runs`, params: { tags: id } };
    case "batch":
      return { url: `${spec.url}/realtime/v1/batches/${id}` };
    case "run":
      return { url: `${spec.url}/realtime/v1/runs/${id}` };
  }
}
