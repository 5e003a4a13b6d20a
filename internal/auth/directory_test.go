package auth_test

import (
	"context"
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// directory is a Directory of a few environments, or of one fault.
type directory struct {
	entries  []auth.Entry
	grants   map[string]grant  // by key
	branches map[string]string // ids, by the parent's id and the name
	fault    error

	branchFault error
	asked       int
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
	if grant, ok := d.grants[string(key)]; ok {
		e, err := d.find(func(e auth.Entry) bool { return e.Environment.ID == grant.id })
		if e != nil {
			e.Grant = &grant.Grant
		}
		return e, err
	}
	e, err := d.find(func(e auth.Entry) bool { return string(e.Key) == string(key) })
	if e != nil {
		e.Grant = &auth.Grant{Key: e.Key, Scopes: auth.Everything()}
	}
	return e, err
}

func (d *directory) BranchEnvironment(_ context.Context, parentID, name string) (*auth.Environment, error) {
	if d.branchFault != nil {
		return nil, d.branchFault
	}
	e, err := d.find(func(e auth.Entry) bool { return e.Environment.ID == d.branches[parentID+" "+name] })
	if err != nil {
		return nil, err
	}
	return &e.Environment, nil
}

// grant is a further key of an environment.
type grant struct {
	id string
	auth.Grant
}

const (
	prodID, prodKey       = "cmprod", "tr_prod_0123456789abcdef"
	otherID, otherKey     = "cmother", "tr_prod_fedcba9876543210"
	devID, devKey         = "cmdev", "tr_dev_0123456789"
	previewID, previewKey = "cmpreview", "tr_preview_0123456789"
	branchID, branchKey   = "cmbranch", "tr_preview_branch"
	goneID, goneKey       = "cmgone", "tr_prod_gone"
	keylessID             = "cmkeyless"

	devBranchID, devBranchKey = "cmdevbranch", "tr_dev_branch"
)

// Further keys: of prodID, in and out of grace, and additional ones.
const (
	graceKey   = "tr_prod_rotated"
	expiredKey = "tr_prod_rotatedlongago"
	readKey    = "tr_prod_sk_0123456789abcdefABCDEFxy"
	endedKey   = "tr_prod_sk_ended56789abcdefABCDEFxy"
	adminKey   = "tr_preview_sk_admin56789abcdefABCDEFxy"
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
	devBranch := entry(devBranchID, devBranchKey, auth.Development)
	devBranch.SigningKeys = []auth.Key{devKey}
	gone := entry(goneID, goneKey, auth.Production)
	gone.ProjectDeleted = true
	return &directory{
		entries: []auth.Entry{
			entry(prodID, prodKey, auth.Production), entry(otherID, otherKey, auth.Staging),
			entry(devID, devKey, auth.Development), entry(previewID, previewKey, auth.Preview),
			branch, gone, entry(keylessID, "", auth.Production), devBranch,
		},
		grants: map[string]grant{
			graceKey:   {prodID, auth.Grant{Key: graceKey, Scopes: auth.Everything(), Expires: now.Add(1)}},
			expiredKey: {prodID, auth.Grant{Key: expiredKey, Scopes: auth.Everything(), Expires: now}},
			readKey:    {prodID, auth.Grant{Scopes: auth.ParseScopes([]string{"read:runs"}), Expires: now.Add(time.Hour)}},
			endedKey:   {prodID, auth.Grant{Scopes: auth.ParseScopes([]string{"read:runs"}), Expires: now}},
			adminKey:   {previewID, auth.Grant{Scopes: auth.ParseScopes([]string{"admin"})}},
		},
		branches: map[string]string{
			previewID + " feature/x": branchID, previewID + " default": branchID, devID + " feature/x": devBranchID,
			previewID + " é": branchID,
		},
	}
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
