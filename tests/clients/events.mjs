// What the drivers tell the test that started them, one JSON object a line on
// standard output, and what they are told, one a line on standard input. Console
// warnings need no line: they go to standard error, which the test reads too, and
// where it wants nothing.

import diagnostics from "node:diagnostics_channel";
import { createInterface } from "node:readline";

export function emit(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

// Calls a function of its own for each command: {"do": <its name>, ...}.
export function obey(commands) {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  });
}

function about({ pathname, searchParams }) {
  return {
    feed: searchParams.get("tags") ?? pathname.split("/").at(-1),
    live: searchParams.get("live") === "true",
    offset: searchParams.get("offset"),
  };
}

// Reports every request that the client makes, when it has left, and what
// becomes of it. The client itself is left as it is.
export function reportFetch(answered = () => {}) {
  diagnostics.channel("undici:client:sendHeaders").subscribe(({ request }) => {
    emit("sent", about(new URL(request.path, "http://gateway")));
  });
  const fetch = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const request = about(new URL(input.url ?? input));
    emit("request", request);
    try {
      const response = await fetch(input, init);
      const stream = response.headers.get("content-type") === "text/event-stream";
      emit("response", { ...request, status: response.status, stream });
      answered(request, response);
      return response;
    } catch (error) {
      if (init?.signal?.aborted) emit("aborted", request); // by the client itself
      else emit("no-response", { ...request, code: error.cause?.code ?? error.name });
      throw error;
    }
  };
}

// Clients before 1.0, and the SDKs that hold them, let the error that ends a
// subscription go unhandled, which ends the process. An application with more
// than one subscription catches it here. What is not about a request ends the
// process as ever.
export function catchRejections() {
  process.on("unhandledRejection", (error) => {
    if (!error?.url) throw error;
    emit("error", { feed: about(new URL(error.url)).feed, message: String(error) });
  });
}

// Where a feed is, with params as the clients that have them take them.
export function source(url, kind, id) {
  switch (kind) {
    case "tag":
      return { url: `${url}/realtime/v1/runs`, params: { tags: id } };
    case "batch":
      return { url: `${url}/realtime/v1/batches/${id}` };
    case "run":
      return { url: `${url}/realtime/v1/runs/${id}` };
  }
}
