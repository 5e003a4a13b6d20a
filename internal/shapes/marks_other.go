//go:build !amd64

package shapes

func marks(b *[block]byte) (quotes, slashes, brackets uint64) { return portableMarks(b) }

func escapesIn(b []byte) bool { return portableEscapes(b) }
