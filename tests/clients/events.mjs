// What the drivers tell the test that started them: one JSON object a line on
// standard output. Console warnings need no line: they go to standard error,
// which the test reads too, and where it wants nothing.

import diagnostics from "node:diagnostics_channel";

export function emit(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
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
export function reportFetch() {
  diagnostics.channel("undici:client:sendHeaders").subscribe(({ request }) => {
    emit("sent", about(new URL(request.path, "http://gateway")));
  });
  const fetch = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const request = about(new URL(input.url ?? input));
    emit("request", request);
    try {
      const response = await fetch(input, init);
      emit("response", { ...request, status: response.status });
      return response;
    } catch (error) {
      emit("no-response", { ...request, code: error.cause?.code ?? error.name });
      throw error;
    }
  };
}
