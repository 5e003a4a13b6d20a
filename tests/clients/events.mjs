// What the drivers tell the test that started them: one JSON object a line on
// standard output. Console warnings need no line: they go to standard error,
// which the test reads too, and where it wants nothing.

export function emit(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

// Reports every request that the client makes, and what becomes of it. The
// client itself is left as it is.
export function reportFetch() {
  const fetch = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const { pathname, searchParams } = new URL(input.url ?? input);
    const about = {
      feed: searchParams.get("tags") ?? pathname.split("/").at(-1),
      live: searchParams.get("live") === "true",
      offset: searchParams.get("offset"),
    };
    emit("request", about);
    try {
      const response = await fetch(input, init);
      emit("response", { ...about, status: response.status });
      return response;
    } catch (error) {
      emit("no-response", { ...about, code: error.cause?.code ?? error.name });
      throw error;
    }
  };
}
