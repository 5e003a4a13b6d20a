// Package shapes holds the words of Electric's shape protocol, as a reader of
// shapes needs them: which rows (Definition), from where (Offset), what an
// answer holds (Message and the Scanner that finds messages in a body without
// decoding their values), and who can be asked (Source).
//
// It knows nothing of HTTP, of merging or of who is asking. Everything in it is
// either a value or safe for one goroutine, unless it says otherwise.
package shapes
