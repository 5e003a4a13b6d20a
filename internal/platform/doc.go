// Package platform is the platform's REST API over the run store, so that the
// platform's own SDKs can trigger, read and change runs through this program.
// docs/platform-api.md has a table of the routes, and says where they differ.
//
// A request is answered in the platform's order: who asks (401); what the path,
// the query and the body say (400); is it there (404); may they (403); then it is
// done. Where it can be told without the body, who may not is refused before that is
// read: who may not trigger the task of the path, or in a batch no task at all, or not
// those that the batch was opened for. Bodies are bounded before they are read, and
// read whole before anything is written.
//
// What is done to runs is done by package trigger, and read from package
// runstore. Here are only the requests, the answers and their words: SDKs check
// every answer against a schema and refuse one that does not fit.
package platform
