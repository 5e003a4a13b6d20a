// Package claims lets one trigger at a time act upon an idempotency key, or a
// one-time-use token, whichever of the two run tables it is going to write.
//
// Each table has a unique index of its own, and so cannot say that the other has
// the key. A trigger therefore claims the key's slot, looks into both tables, makes
// the run, and publishes it in the slot; whoever comes meanwhile waits, and gets the
// same run. A slot is forgotten by itself after its time: a trigger that died in
// the middle is in nobody's way for longer than that.
//
// Memory holds the slots of this process. Two instances do not see each other's:
// then a key that is triggered on both at the same moment, while the organization's
// flag changes, can get a run in each table.
package claims
