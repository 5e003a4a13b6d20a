// Package electric is a shapes.Source that asks an Electric sync service over
// HTTP.
//
// The upstream is built from three things: the configured origin, the fixed
// part of a definition, and a position. Nothing of a client's request is ever
// copied into it. No redirect is followed and no proxy is used. The secret goes
// into the outgoing request and nowhere else: requests are made by RoundTrip,
// so no *url.Error can carry the URL into an error text.
//
// What an answer means:
//
//	200, 204             rows. A live answer that names an offset beyond its last
//	                     row may lack one: its reader goes on from that row
//	409                  *shapes.Rotated
//	400 out of bounds    asked again some seconds later while /v1/health says
//	                     active; the same answer twice is *shapes.Rotated. An
//	                     Electric that restarted is behind for a while, and its
//	                     readers must not start over because of it.
//	other 400, 404, 414  *shapes.Refused: the request itself is at fault
//	everything else      *shapes.Unavailable, with Retry-After if it was named:
//	                     401 (our secret is wrong), 429, 5xx, redirects,
//	                     refused or broken connections, malformed answers
package electric
