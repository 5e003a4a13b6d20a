// Package schema makes the platform's tables in a database that does not have
// them, and mends the two faults that keep an existing pair of run tables from
// being followed: a replica identity that leaves out old values, and array
// columns of which Postgres does not know that they are arrays of one dimension.
//
// A database of the platform's own is never migrated by this package in the
// platform's stead: a table that exists keeps its columns, types, defaults and
// indexes, whatever they are. Everything that is missing is made; nothing is
// dropped.
//
// SeedDemo puts one organization, project and environment into an empty
// installation, for development.
package schema
