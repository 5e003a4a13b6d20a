// Package npm installs, for tests, the packages that a folder's package-lock.json
// names: the clients of the gateway, unmodified.
package npm
