// Package claims lets one trigger at a time act upon an idempotency key, or a
// one-time-use token, whichever of the two run tables it is going to write.
//
// Each table has a unique index of its own, and so cannot say that the other has
// the key. A trigger therefore claims the key's slot, looks into both tables, makes
// the run, and publishes it in the slot; whoever comes meanwhile waits, and gets the
// same run. A slot is forgotten by itself after its time: a trigger that died in
// the middle is in nobody's way for longer than that.
//
// Redis holds slots for all instances together, and for the platform beside them:
// names, values and times are the platform's own, so that both can trigger during a
// switch-over. An idempotency key's slot is
// mollifier:claim:<environment>:<task>:<key>, each part in base64url. It says
// "pending:<owner>", or the friendly id of the run. The platform's trigger buffer,
// from which runs go into a table later, has the key of a run that it holds at
// mollifier:idempotency:<the same>; the run is at mollifier:entries:<run>. It is
// read here, and a key can be taken out of it; nothing is put into it. The slot of a
// one-time-use token is realtime-gw:claim:token:<token>, which the platform does not
// know: it has one table, and the table's index. All keys of a script have to be on
// one server, as for the platform: a Redis Cluster will not do.
//
// Memory holds the slots of this process. Two instances do not see each other's:
// then a key that is triggered on both at the same moment, while the organization's
// flag changes, can get a run in each table.
package claims
