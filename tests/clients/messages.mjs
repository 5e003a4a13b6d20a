// Follows one feed and prints what the client gives to its application, message by
// message as it stands, and what the client asks for.
//
//   node messages.mjs '{"client": <module>, "url": ..., "params": {...}, "token": ...}'

const { client, url, params, token } = JSON.parse(process.argv[2]);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const fetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const query = new URL(input.url ?? input).searchParams;
  const asked = { offset: query.get("offset"), live: query.get("live") === "true", at: Date.now() };
  print({ request: asked });
  const response = await fetch(input, init);
  print({ response: { ...asked, status: response.status } });
  // Without the columns' types values stay the texts that they are.
  const headers = new Headers(response.headers);
  if (headers.has("electric-schema")) headers.set("electric-schema", "{}");
  const { status, body } = response;
  return Object.defineProperty(new Response(body, { status, headers }), "url", { value: response.url });
};

// Client 1.0 streams in browsers only: it wants to know whether its page is hidden.
if (client === "electric-client-1.0") {
  globalThis.window ??= globalThis;
  globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };
}
const { ShapeStream } = await import(client);
const stream = new ShapeStream({
  url,
  params,
  headers: { Authorization: `Bearer ${token}` },
  liveSse: true,
  experimentalLiveSse: true,
  onError: (error) => print({ error: String(error) }),
});
stream.subscribe((messages) => print({ messages }));
