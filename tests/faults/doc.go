// Package faults shows that a failing upstream is invisible to those who only wait.
//
// 200 clients follow 20 feeds: 167 are plain ones in this process, which do what
// Electric's TypeScript client does, and end where that would end (reader_test.go,
// stream_test.go), and 33 are subscriptions of real npm clients in a few Node processes
// (npm_test.go). Their gateway asks a real shape server over TCP, by a toxiproxy for
// each of the two tables, so that one side can be broken on the wire while the other is
// well; behind them stands a front that answers with statuses and is restarted, while
// the server's handles and logs live on.
//
// The faults come one after the other. During each a writer goes on in both tables, and
// newcomers subscribe. What a side that is well commits must arrive meanwhile, what fails
// must not be asked for more than twice a second and shape, and afterwards everybody holds
// what SELECT says. Nobody has to start over, and nobody ends.
//
// FAULTS is a regular expression for the names of the faults to play. FAULTS_LONG=1 plays
// every one on every side, for a second, ten and a minute (make soak-faults).
package faults
