// Package admin is what an operator may look at and change over HTTP, with one
// token for all of it:
//
//	GET /admin/v1/orgs/{organizationId}/run-table-v2
//	PUT /admin/v1/orgs/{organizationId}/run-table-v2   {"runTableV2": true}
//
// Both answer with the flag as it is then. The global value is shown and cannot be
// set: see package orgflags. Every change leaves a line in the log, with who was
// changed and from where, and without the token.
package admin
