// Package http1 is an http.RoundTripper in which a call stays on the goroutine of
// its caller, from the first byte of the request to the last of the body.
//
// net/http's Transport gives each connection two goroutines. The answer to a poll
// that was held wakes one of them, which wakes the caller for the head, and at the
// body's end the two talk once more. In a process that was idle, as one is between
// two changes, each of these turns meets cold caches; and each call that waits holds
// two goroutines and two buffers beside its caller's. Here the caller itself sleeps on
// the socket and is woken by the answer. What waits is one goroutine, and one buffer
// of 4 KiB, through which large bodies do not go.
//
// It speaks HTTP/1.1 to http origins, makes GETs and HEADs without a body, and asks
// for no compression. It knows no proxy, no TLS, no upgrade to another protocol, and
// calls no httptrace. Requests are written by net/http. Answers are read by net/http, or
// as it reads them.
//
// # The usual form
//
// An answer to a poll is small, and says nothing odd. net/http reads all
// that is sent as HTTP, with much code, none of which is in the caches of a process that
// was idle while somebody waited for a change. So a head that is whole in the buffer when
// its first byte is looked at, and of a form of which there are no two opinions, is read
// by a page of code, with few allocations. net/http reads all others from their first
// byte. Tests hold one reader against the other. The values of such a head are one
// string: who keeps a value for long keeps a clone of it.
//
// # Connections
//
// A call takes the connection that was given back last, or dials one. At the end of
// its body (the Read that gives io.EOF) the connection is given back. It is closed
// instead if the answer says so, if more came than the answer, if the body was closed
// before its end, or if the call was canceled.
//
// A server may close a kept connection at any time. Whoever takes one looks whether it
// is closed, or has something that nobody asked for. A server can still close it in the
// moment in which the request is on its way: if no byte of an answer came, the request
// is sent again on a connection that is new. Once: one that is closed unanswered is then
// an error. A request that can be sent twice is why nothing but GET and HEAD is taken.
//
// Connections that idle have no goroutine. One timer for all of them closes those that
// do for too long, and rests when there are none.
//
// # Ends of a call
//
// When the context of a request is done its connection is closed, which wakes whoever
// waits on it, and the error is context.Cause of it, in RoundTrip and in Read alike. An
// answer that is not HTTP, too large in its head, or cut there, is an error of RoundTrip
// with the one that net/http has for it inside; a body that is cut ends in
// io.ErrUnexpectedEOF, or if only its trailer is, in net/http's error for that.
package http1
