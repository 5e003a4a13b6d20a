// Package shapes holds the words of Electric's shape protocol, as a reader of
// shapes needs them: which rows (Definition), from where (Offset), what an
// answer holds (Message and the Scanner that finds messages in a body without
// decoding their values), and who can be asked (Source).
//
// It knows nothing of HTTP, of merging or of who is asking. Everything in it is
// either a value or safe for one goroutine, unless it says otherwise.
//
// A body is looked at from the outside in: the Scanner asks the framer where a message
// ends, that asks quoting what stands outside strings, and that asks marks, 64 bytes at
// once, which of them are quotes, backslashes and brackets. For amd64 marks is assembly
// (marks_amd64.s), and the same in Go is beside it, for the others and to hold it against.
package shapes
