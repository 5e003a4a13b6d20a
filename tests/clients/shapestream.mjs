// Follows feeds with a bare ShapeStream and keeps their rows, as an application
// on Electric's client does.
//
//   node shapestream.mjs '{"client": <module>, "url": ..., "sse": <bool>, "shape": <bool>, "feeds": [{"kind": "tag" | "batch" | "run", "id", "token", "from"}]}'
//
// "shape" has the client's own Shape keep the rows, and tell of them.
//
// "from" is what {"do": "keep", "feed"} was answered with: rows and their place,
// to go on from.

import { catchRejections, emit, obey, reportFetch, source } from "./events.mjs";

const spec = JSON.parse(process.argv[2]);
const lastLive = {}; // the offset of the last live answer, by feed
reportFetch(({ feed, live }, { headers }) => {
  if (live) lastLive[feed] = headers.get("electric-chunk-last-offset");
});
catchRejections();
// Client 1.0 streams in browsers only: it wants to know whether its page is hidden.
if (spec.sse && spec.client === "electric-client-1.0") {
  globalThis.window ??= globalThis;
  globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };
}
const { Shape, ShapeStream, isChangeMessage, isControlMessage } = await import(spec.client);

// Before 0.7 there were no params, handles were shape ids, and nobody was told
// the offset: messages brought it, which they have not done since Electric 1.0.
// So an application has to look at the answers. Those to live requests are used
// in their order; others may have been fetched ahead and thrown away.
const early = "shapeId" in ShapeStream.prototype;

const keepers = Object.fromEntries(spec.feeds.map((feed) => [feed.id, follow(feed)]));
obey({ keep: ({ feed }) => emit("kept", { feed, state: keepers[feed]() }) });

function follow({ kind, id, token, from }) {
  const rows = new Map(Object.entries(from?.rows ?? {}));
  const stream = new ShapeStream({
    ...options(source(spec.url, kind, id), from?.place),
    headers: { Authorization: `Bearer ${token}` },
    liveSse: spec.sse,
    experimentalLiveSse: spec.sse,
    onError: (error) => emit("error", { feed: id, message: String(error) }),
  });
  if (spec.shape) return keptByShape(new Shape(stream), id);
  let touched = new Map([...rows.keys()].map((key) => [key, []])); // keys since the last up-to-date, and their transactions
  let place;
  stream.subscribe((messages) => {
    for (const message of messages) {
      if (isChangeMessage(message)) {
        apply(rows, id, message);
        touched.set(message.key, message.headers.txids ?? []);
      } else if (isControlMessage(message)) {
        control(message.headers.control);
      }
    }
  });

  function control(word) {
    if (word === "must-refetch") {
      for (const key of rows.keys()) touched.set(key, []);
      rows.clear();
      delete lastLive[id];
      emit("must-refetch", { feed: id });
    }
    if (word === "up-to-date") {
      const changed = Object.fromEntries([...touched.keys()].map((key) => [key, rows.get(key) ?? null]));
      place = whereIs(stream, id);
      emit("rows", { feed: id, rows: changed, txids: Object.fromEntries(touched) });
      touched = new Map();
    }
  }

  return () => ({ rows: Object.fromEntries(rows), place });
}

function keptByShape(shape, feed) {
  let told = new Set();
  shape.subscribe(() => {
    const now = shape.currentValue;
    const gone = [...told].filter((key) => !now.has(key)).map((key) => [key, null]);
    emit("rows", { feed, rows: Object.fromEntries([...now, ...gone]), txids: {} });
    told = new Set(now.keys());
  });
  return () => ({ rows: Object.fromEntries(shape.currentValue) });
}

function apply(rows, feed, { key, value, headers: { operation } }) {
  if (operation !== "insert" && !rows.has(key)) {
    emit("error", { feed, message: `${operation} of a row that was never inserted: ${key}` });
  }
  if (operation === "delete") rows.delete(key);
  else rows.set(key, operation === "update" ? { ...rows.get(key), ...value } : value);
}

function options({ url, params }, place) {
  if (!early) return { url, params, ...place };
  return { url: params ? `${url}?${new URLSearchParams(params)}` : url, shapeId: place?.handle, offset: place?.offset };
}

function whereIs(stream, feed) {
  if (early) return { handle: stream.shapeId, offset: lastLive[feed] };
  return { handle: stream.shapeHandle, offset: stream.lastOffset };
}
