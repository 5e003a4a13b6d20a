// Package relay passes TCP connections on, for tests in which a client has one
// address and what answers there changes.
package relay
