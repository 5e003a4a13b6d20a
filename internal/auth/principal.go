package auth

import "time"

// EnvironmentType is the platform's "RuntimeEnvironmentType".
type EnvironmentType string

// The types of environment.
const (
	Production  EnvironmentType = "PRODUCTION"
	Staging     EnvironmentType = "STAGING"
	Development EnvironmentType = "DEVELOPMENT"
	Preview     EnvironmentType = "PREVIEW"
)

// Environment is the tenant: every row a request may see belongs to exactly one.
type Environment struct {
	ID             string // "RuntimeEnvironment"."id"
	OrganizationID string
	ProjectID      string
	Type           EnvironmentType
}

// Principal is who asks, after the credential was checked. It is immutable, and
// safe for concurrent use.
type Principal struct {
	Environment Environment

	// Scopes is what the credential may do in the environment.
	Scopes Scopes

	// SkipColumns are columns that whoever signed the token hides from its
	// holder. It takes the place of the request's own wish: nil when the token
	// says nothing, and then the request's wish counts; empty but not nil when
	// the token asks for all columns.
	SkipColumns []string

	// Expires is when the credential ends; the zero time if it does not, as a
	// root key that is in use.
	Expires time.Time

	// Public says that the credential is a public token. What a key alone may do,
	// no token may, whatever its scopes.
	Public bool

	// OneTimeUse stands for a token that may trigger once: its SHA-256, in hex. It
	// is empty for all others.
	OneTimeUse string
}

// May says whether the principal may do the action to at least one of the
// resources; see Scopes.May.
func (p *Principal) May(action string, anyOf ...Resource) bool {
	return p.Scopes.May(action, anyOf...)
}

// Require is May as an error: nil, or the platform's 403.
func (p *Principal) Require(action string, anyOf ...Resource) error {
	if p.May(action, anyOf...) {
		return nil
	}
	return forbidden(action)
}
