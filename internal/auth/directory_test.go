package auth_test

import (
	"context"
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// directory is a Directory of a few environments, or of one fault.
type directory struct {
	entries []auth.Entry
	fault   error
	asked   int
}

func (d *directory) find(is func(auth.Entry) bool) (*auth.Entry, error) {
	d.asked++
	if d.fault != nil {
		return nil, d.fault
	}
	for _, e := range d.entries {
		if is(e) {
			return &e, nil
		}
	}
	return nil, auth.ErrUnknown
}

func (d *directory) EnvironmentByID(_ context.Context, id string) (*auth.Entry, error) {
	return d.find(func(e auth.Entry) bool { return e.Environment.ID == id })
}

func (d *directory) EnvironmentByKey(_ context.Context, key auth.Key) (*auth.Entry, error) {
	return d.find(func(e auth.Entry) bool { return string(e.Key) == string(key) })
}

const (
	prodID, prodKey       = "cmprod", "tr_prod_0123456789abcdef"
	otherID, otherKey     = "cmother", "tr_prod_fedcba9876543210"
	devID, devKey         = "cmdev", "tr_dev_0123456789"
	previewID, previewKey = "cmpreview", "tr_preview_0123456789"
	branchID, branchKey   = "cmbranch", "tr_preview_branch"
	goneID, goneKey       = "cmgone", "tr_prod_gone"
	keylessID             = "cmkeyless"
)

func entry(id, key string, t auth.EnvironmentType) auth.Entry {
	return auth.Entry{
		Environment: auth.Environment{ID: id, OrganizationID: "org_" + id, ProjectID: "proj_" + id, Type: t},
		Key:         auth.Key(key), SigningKeys: []auth.Key{auth.Key(key)},
	}
}

func newDirectory() *directory {
	branch := entry(branchID, branchKey, auth.Preview)
	branch.SigningKeys = []auth.Key{previewKey}
	gone := entry(goneID, goneKey, auth.Production)
	gone.ProjectDeleted = true
	return &directory{entries: []auth.Entry{
		entry(prodID, prodKey, auth.Production), entry(otherID, otherKey, auth.Staging),
		entry(devID, devKey, auth.Development), entry(previewID, previewKey, auth.Preview),
		branch, gone, entry(keylessID, "", auth.Production),
	}}
}

// now is the clock of every test: tokens are made around it.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newAuthenticator(d auth.Directory) *auth.Authenticator {
	a, err := auth.NewAuthenticator(auth.Config{Directory: d, Now: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	return a
}

func header(authorization string) http.Header {
	return http.Header{"Authorization": {authorization}}
}
