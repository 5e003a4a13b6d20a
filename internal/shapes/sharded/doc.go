// Package sharded is a shapes.Source over several, of which each answers for its
// share of the shapes.
//
// A shape is always asked of the same one: which, says the jump hash of its
// definition (Lamping and Veach, 2014) over the list of sources, hashed as the
// platform does it: the first eight bytes of a SHA-256, in network order. So a
// source that is added at the end of the list takes its share from all the others,
// and nothing else moves; the order of the list must not change. A shape that moves
// is another shape to its readers: they start over once.
package sharded
