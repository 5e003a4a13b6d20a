// Leads a Chromium that is running, through its DevTools socket, and says what
// its tabs show and do.
//
//   node chromium.mjs ws://127.0.0.1:...
//
// It reads a command a line, such as {"do": "open", "tab": "a", "url": ...}, and
// answers each with {"event": "done"}. Everything else it writes are events, a
// JSON object a line too.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// With Playwright's defaults every tab takes itself for the focused and visible
// one, whatever is in front of it.
const browser = await chromium.connectOverCDP(process.argv[2], { noDefaults: true });
const [context] = browser.contexts();
const devtools = await browser.newBrowserCDPSession();
const tabs = new Map([["nothing", { page: context.pages()[0] }]]);

function emit(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

// Runs in the page: reports what is rendered, and whether anybody can see it,
// after every change of either. Changes that come without a pause are reported
// once, as a browser paints them once.
function watch() {
  const text = (row) => Object.fromEntries([...row.querySelectorAll("[data-is]")].map((cell) => [cell.dataset.is, cell.textContent]));
  const report = () => {
    const feeds = {};
    for (const table of document.querySelectorAll("[data-feed]")) {
      feeds[table.dataset.feed] = {
        rows: [...table.querySelectorAll("tbody tr")].map(text),
        error: table.querySelector("[data-is=error]")?.textContent,
      };
    }
    window.report({ hidden: document.hidden, feeds });
  };
  const { port1, port2 } = new MessageChannel(); // not slowed down in a hidden page, as timers are
  let due = false;
  port1.onmessage = () => {
    due = false;
    report();
  };
  const changed = () => {
    if (!due) port2.postMessage(null);
    due = true;
  };
  new MutationObserver(changed).observe(document, { subtree: true, childList: true, characterData: true });
  document.addEventListener("visibilitychange", changed);
}

async function adopt(tab, page) {
  const session = await context.newCDPSession(page);
  tabs.set(tab, { page, session });
  const on = (name, event, pick) => session.on(name, (what) => emit(event, { tab, ...pick(what) }));
  on("Network.requestWillBeSent", "request", ({ requestId, request }) =>
    ({ id: requestId, method: request.method, url: request.url, headers: request.headers }));
  on("Network.requestWillBeSentExtraInfo", "sent", ({ requestId }) => ({ id: requestId }));
  on("Network.responseReceived", "response", ({ requestId, response }) => ({ id: requestId, status: response.status }));
  on("Network.loadingFailed", "failed", ({ requestId, errorText, corsErrorStatus }) =>
    ({ id: requestId, text: corsErrorStatus?.corsError ?? errorText }));
  on("Log.entryAdded", "console", ({ entry }) => ({ id: entry.networkRequestId, source: entry.source, level: entry.level, text: entry.text, url: entry.url }));
  on("Runtime.consoleAPICalled", "console", ({ type, args }) =>
    ({ source: "script", level: type, text: args.map((arg) => arg.value ?? arg.description).join(" ") }));
  on("Runtime.exceptionThrown", "console", ({ exceptionDetails: { text, exception } }) =>
    ({ source: "exception", level: "error", text: `${text} ${exception?.description ?? exception?.value}` }));
  await page.exposeFunction("report", (what) => emit("page", { tab, ...what }));
  await page.addInitScript(watch);
  for (const domain of ["Network", "Log", "Runtime"]) await session.send(`${domain}.enable`);
}

const commands = {
  // In the window that is there, or in one of its own.
  async open({ tab, url, window }) {
    const opened = context.waitForEvent("page");
    await devtools.send("Target.createTarget", { url: "about:blank", newWindow: window });
    const page = await opened;
    await adopt(tab, page);
    await page.goto(url);
  },
  show: ({ tab }) => tabs.get(tab).page.bringToFront(),
  reload: ({ tab }) => tabs.get(tab).page.reload(),
  leave: ({ tab }) => tabs.get(tab).page.goto("about:blank"),
  back: ({ tab }) => tabs.get(tab).session.send("Runtime.evaluate", { expression: "history.back()" }),
  picture: ({ tab, path }) => tabs.get(tab).page.screenshot({ path, fullPage: true }),
};

emit("done");
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  await commands[command.do](command);
  emit("done");
}
