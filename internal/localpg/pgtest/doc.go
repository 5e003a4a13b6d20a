// Package pgtest gives tests a real Postgres: one private cluster for a test
// program, one database for a test.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		pool, err := pgxpool.New(ctx, pgtest.Database(t))
//		...
//	}
//
// The cluster is started at the first call of Database or Empty, takes logical
// replication, and syncs nothing to disk. A program that needs no database pays
// nothing. Tests may run in parallel; replication slots are of one cluster, so
// their names must differ between tests that run together (Slot helps).
package pgtest
