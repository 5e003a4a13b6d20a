// Package orgflags knows, in memory, for which organizations new runs go to
// task_run_v2.
//
// The flag is runTableV2 in "Organization"."featureFlags", a JSON object of which
// the other members are the platform's. Only the boolean true turns it on: a text
// such as "false" would be on for who takes anything that is not empty for true. The
// global row of "FeatureFlag" is not looked at (Flags.Global shows it): whoever turned
// it would move every organization at once, and could not move one back.
//
// All organizations that have the flag on are read at the start, since to be wrong
// about one is to send its runs elsewhere. Then a connection of its own listens for
// the names of organizations that were changed on the channel realtime_gw_org_flags;
// Set notifies, in its transaction. Behind that all are read again every Period: the
// platform writes flags too, and notifies nobody. So a flag that is set here is seen
// by every instance within milliseconds, one that the platform sets within Period,
// and while the database is away the flags stay as they were.
//
// An organization that is not known is off, as one without the flag: a new one comes
// without. To ask takes no query, ever. Nothing is lost while instances disagree for a
// moment, since a run is where its id says.
package orgflags
