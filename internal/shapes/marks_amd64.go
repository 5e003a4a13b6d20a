package shapes

// marks is portableMarks, with instructions that every amd64 has. Following
// strings is most of what a body costs, and this is several times as fast.
//
//go:noescape
func marks(b *[block]byte) (quotes, slashes, brackets uint64)

// escapesIn is portableEscapes for one block or more, and the byte behind them.
//
//go:noescape
func escapesIn(b []byte) bool
