// Package browser proves that the platform's React hooks, unmodified from npm,
// work through the gateway in a real Chromium: useRealtimeRunsWithTag,
// useRealtimeBatch and useRealtimeRun render the runs of both tables and follow
// them to their end, also after the page was hidden and the gateway was killed.
//
// Every scenario has a stack of its own (a database, `realtime-gw shapes` and
// `realtime-gw serve`, as processes that can be killed) and a Chromium with an
// empty profile. The page (page.jsx, page.html) is bundled by esbuild and served
// from another origin than the gateway's, so that every request is preflighted.
// chromium.mjs leads the browser through its DevTools socket, and tells the test
// what each tab renders, asks and prints. What is rendered is compared with a
// SELECT over both tables. A tab is hidden as people hide it, by another in front
// of it, and the page learns of it from the browser.
//
// One thing is left out, because no server can mend it. Electric's client 1.0.14,
// which the hooks hold, stops for good when its page is hidden and shown again
// within the pause before it repeats a request that failed: it goes on when the
// page is hidden and shown once more.
//
// A console message, an exception or an unhandled rejection fails the test, but
// for one kind: Chromium's own line for a request that failed as the scenario
// wants it to, which is known by the request's id.
//
// A page has at most four subscriptions, and two pages six together. Each holds a
// connection, and over HTTP/1.1 a browser opens no more than six to one host, over
// all tabs: a seventh would wait until one of the six is answered. Behind TLS,
// where browsers speak HTTP/2, there is no such limit.
//
// One scenario:
//
//	go test -race -v -run 'TestHooks/hidden' ./tests/browser
//
// How the scenarios went is left in tests/.cache/browser.txt, which `make test`
// prints.
//
// With BROWSER_PICTURES=DIR each scenario leaves a picture of its page there.
//
// Nothing is skipped. What is missing is installed by scripts/install-missing (as
// root on Debian), the packages of package-lock.json by the tests themselves.
package browser
