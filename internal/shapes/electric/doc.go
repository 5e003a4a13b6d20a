// Package electric is a shapes.Source that asks an Electric sync service over
// HTTP.
//
// The upstream is built from three things: the configured origin, the fixed
// part of a definition, and a position. Nothing of a client's request is ever
// copied into it. No redirect is followed and no proxy is used. The secret goes
// into the outgoing request and nowhere else: requests are made by RoundTrip,
// so no *url.Error can carry the URL into an error text.
//
// # What an answer means
//
// Each answer has one meaning, for all that ask. The verdict is what this Source
// says: rows, or the name of an error of package shapes. The last column is the
// status that a client of the gateway sees in the end, with package steady between,
// which asks again where it is Unavailable. TestAnswers of tests/blackbox has a case
// for each row, and compares.
//
//	answer                                    verdict       client
//	200, up to date                           rows          200
//	200, not up to date                       rows          200
//	200, live, ends beyond its last row       rows          200
//	204 to a held request                     rows          200
//	204 to a read                             Unavailable   503
//	304                                       Unavailable   503
//	400, out of bounds, twice, active         Rotated       409
//	400, out of bounds, then not              rows          200
//	400, out of bounds, not active            Unavailable   503
//	400, out of bounds, at the beginning      Unavailable   503
//	400, of anything else                     Refused       500
//	401                                       Unavailable   503
//	403                                       Unavailable   503
//	404                                       Refused       500
//	409 with a handle                         Rotated       409
//	409 without a handle                      Rotated       409
//	409, at the beginning                     Unavailable   503
//	414                                       Refused       500
//	429 with Retry-After                      Unavailable   503
//	500                                       Unavailable   503
//	502                                       Unavailable   503
//	503 with Retry-After                      Unavailable   503
//	503 without Retry-After                   Unavailable   503
//	any other status                          Unavailable   503
//	redirect                                  Unavailable   503
//	200, under another handle                 Rotated       409
//	200, without or with an absurd handle     Unavailable   503
//	200, without or with an absurd offset     Unavailable   503
//	200, offset goes back                     Unavailable   503
//	200, live, a row's offset goes back       Unavailable   503
//	200, live, rows and the same offset       Unavailable   503
//	200 to a read, without a schema           Unavailable   503
//	200, not application/json                 Unavailable   503
//	200, gzip                                 Unavailable   503
//	200, empty body                           Unavailable   503
//	200, truncated body                       Unavailable   503
//	200, invalid JSON                         Unavailable   503
//	200, must-refetch in the body             Unavailable   503
//	refused, reset, or silent                 Unavailable   503
//
// Why, where it does not go without saying:
//
//   - A live 200 that names an offset beyond its last row may lack a row: its reader
//     goes on from the last row, and if there is none, what is behind the old place is read. One without up-to-date is read on by package flight
//     before anybody is answered, and a page without up-to-date by package merge.
//   - Electric before 1.0.4 had 204 for a held request of which nothing came. A body
//     of no bytes under a 200 was lost on the way, and is not "nothing new".
//   - Only Rotated makes a client start over, so it takes more than a doubt. An
//     Electric that restarted is behind for a while and says out of bounds: it is
//     asked again some seconds later, and only if /v1/health says active and the
//     answer is the same is the log lost. At the beginning (-1) there is no place to
//     lose, and a 409 would send the client back to where it is, at once and for ever:
//     Electric gives one there when a shape goes in the moment in which it is read.
//   - Refused is a fault of this program, or of the tables, or of ELECTRIC_ORIGIN: what
//     was asked has no answer. Waiting does not help, so nobody waits. The diagnosis is
//     in the log. Clients come back after a 500, and not after a 4xx.
//   - 401 is about our secret and not about the client's: it waits until somebody has
//     set it right, and the log says so as an error at once (Unavailable.Misconfigured).
//   - A live answer is held whole, and is JSON. One that is read is cut into messages as it
//     comes, and what is between the brackets of a message is not looked at.
//   - This client says that it takes no compression, and no If-None-Match.
//
// A 409 and a 503 leave the client's place as it was: the 503 says Retry-After: 1,
// whatever the upstream asked for, which package steady heeds. No text of the upstream
// reaches a client, and into an error goes as little of it as a diagnosis needs, with
// the secret and the values that were bound replaced by their names (conceal.go).
//
// # Bounds
//
// An upstream is input, too. Heads are taken up to 64 KiB; handles up to 256 bytes; a
// live answer up to 16 MiB, whole; a message of a stream up to 64 MiB; a body of a
// stream up to Config.MaxBody, in Config.MaxStall of waiting. A head has to come
// within Config.Silence, and more of a body within Config.Idle, as all of one that holds no
// rows has to.
package electric
