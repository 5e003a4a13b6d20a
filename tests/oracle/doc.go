// Package oracle holds the gateway to the truth, which is Postgres itself.
//
// One seed is one small world: a database of its own, the embedded shape server,
// one or two gateways on loopback, a writer and a dozen readers. Everything that
// the writer does and every reader's habits come from the seed; how they
// interleave does not, so a seed that failed once may need a few runs to fail
// again.
//
// # What is looked at
//
// Every state that the writer gives a row has a number of its own, in the column
// "number", and is noted with all its columns before it can be seen
// (history). So of each message that a reader gets it is known what it should
// say (held, in check_test.go):
//
//   - the row after it equals, column by column, the state with that number;
//   - that state was committed, and the reader's feed selects it;
//   - numbers and log positions do not go back;
//   - an update or delete is of a row that the reader holds;
//   - an up-to-date comes after whole snapshots and whole transactions;
//   - the snapshot-end does not promise more than the reader has.
//
// What a response must be, whatever it holds, is in reader_test.go. After each
// phase the writer puts one row in each table that every feed selects. A reader
// that has those and was told that it is up to date must hold exactly what
// SELECT gives.
//
// # Running it
//
//	go test ./tests/oracle                          some seeds, those that ever failed, and the faults
//	ORACLE_SEED=7 go test ./tests/oracle -run Seed  one seed, printed in detail
//	make soak SEEDS=5000                            many, going on where the last soak ended
//
// That the oracle notices anything at all is shown by faults_test.go: eight ways
// of breaking what the gateway says, each between two parts of the program.
package oracle
