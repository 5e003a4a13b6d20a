// Command realtime-gw is a gateway in front of Electric that makes the two run
// tables of a platform look like one to everybody who watches runs live.
//
// Each command is a file of its own: dev runs everything that there is on a
// machine where nothing is set up, serve is production, shapes is the embedded
// upstream alone, migrate makes the tables, token signs a public token, check says
// whether serve will work, healthcheck whether one does. gateway.go puts the
// packages together for dev and serve, settings.go says what is wrong with their
// settings.
package main
