// Package localpg starts a private Postgres for development and for tests, on a
// machine where nothing was configured.
//
// Start finds Postgres binaries (or downloads them), makes a cluster in a state
// directory when there is none, and runs it on a loopback port until Stop. What
// it promises:
//
//   - Nobody else gets in: the server listens on 127.0.0.1 alone, without unix
//     sockets, and asks for a random password that only this user can read.
//   - It runs unprivileged. Postgres refuses to be root, so when the program is
//     root the server runs as "postgres", or as "nobody".
//   - It has one owner. A lock on the state directory is held by the program and
//     inherited by every Postgres process it started, so that it is free when the
//     last of them has gone, and not before. Whoever gets it knows that a
//     postmaster.pid lying about is stale.
//   - It leaves nothing running. On Linux the kernel tells the server when its
//     parent has died, a kill -9 included; elsewhere only Stop ends it.
//   - Its data survives a restart and a crash, unless Config.Disposable says that
//     nobody wants it.
//
// The layout of a state directory:
//
//	data       the cluster; a link to it where the server's user cannot reach the directory
//	password   the superuser's password, readable by the program's user alone
//	lock       held while the cluster is in use, with the owner's process id
//
// Logical replication is on, with room for many slots, and bounded in what an
// abandoned slot may keep on disk.
package localpg
