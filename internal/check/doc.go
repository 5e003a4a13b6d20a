// Package check says whether a configuration will work, and of what will not,
// what mends it.
//
// Run looks at the database, its replica, every Electric and Redis at the same
// time, each within a bound, and gives a Line for each finding. A gather function
// only asks; what an answer means is said by a judge function, which is pure. So
// one run tells everything that is wrong, and not the first thing only.
//
// An Error is of what does not work: the gateway would not start, or nobody could
// follow runs. A Warning is of what works and should not stay so: a disk that can
// fill, an Electric that has known faults or asks for no secret, a null or an
// array that the gateway or the data is lenient about today. Only an Error is a
// reason not to start.
//
// Nothing is changed by looking, with one exception: in Redis one slot is taken
// and given back, because a Redis that answers can still refuse to count. Of an
// Electric a shape is asked for with a where clause that it must refuse: that
// tells whether the secret is right and the table is there, and makes no shape.
//
// An Electric does not say which database it follows. That it is another one than
// ours is known where it does not have the run tables, or where it is active and
// our database has no replication slot for it.
//
// Only slots of the platform's own database are looked at: those of others, and
// those of standbys, are not this gateway's business.
//
// Secrets are never part of a Line. A driver's error in which one stands is left
// out as a whole.
package check
