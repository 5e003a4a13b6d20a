// Package memo remembers the answers to questions for a short time, so that
// those who ask the same again and again do not ask the database each time.
//
// An answer is a value, an absence (an error that says for certain that there
// is nothing), or a failure. Values and absences are remembered, each for a time
// of its own; failures never. The time counts from the moment the question was
// asked, not from when it was answered or last used: whatever changed in the
// database is seen by everybody within that time, however often they ask.
//
// Values and absences have a shelf each, bounded in number, and a full shelf
// drops what was not used for longest. They are apart because anybody can ask
// for what does not exist: a flood of that pushes out only more of the same.
//
// Several who ask the same at one time share one question. It is nobody's in
// particular: it has a context and a time limit of its own, so that one who
// leaves takes nothing from the others, and what comes is remembered even if
// nobody waits any more.
package memo
