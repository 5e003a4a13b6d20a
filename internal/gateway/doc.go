// Package gateway is the HTTP surface: routes, who may use them, and how feeds
// and errors look to the platform's SDKs and to Electric's clients.
//
// A feed request is answered in this order, which is the platform's: preflight;
// who asks (401); the path (400); the query (400); does the run or batch exist in
// the asker's environment (404); may they see it (403); live requests only: is a
// slot free (429); then the feed's next batch.
//
// The handler that chi chose authenticates, never a pattern on the raw path, so
// no spelling of a path can go round it. What a client sends is read once, into
// typed values, and nothing of it is copied to an upstream.
//
// A live request is served in two parts (poll.go): up to where it waits on a stack of
// its own, and from there on that of its connection. One ends before the other begins,
// so what both use has no lock; the logger alone has (visit.log), because both sides of
// a feed may be read at the same time.
//
// The answer to one goes past net/http, if that has nothing to decide about it
// (straight.go): then what net/http writes for the same request is dropped by the
// connection (late.go).
//
// Clients of every age are answered: what a request's headers say of it (dialect.go)
// adds names to the head and changes one word of rows.
//
// Once the head of an answer is out its body must be finished: clients retry
// everything before that, and nothing after. So a batch is asked for before
// anything is written, and a body that breaks off ends the connection, so that
// it cannot be taken for a whole one. A reader who takes nothing is cut, too: by a
// deadline for each piece of a large answer (unread.go), and by the system for what is
// small (unread_linux.go).
package gateway
