package auth

import "strings"

// Resource is something a request wants to act on. An empty ID means the whole
// type: only a scope for the type grants it, never one for a single id.
type Resource struct {
	Type string // "runs", "tasks", "tags", "batch", ...
	ID   string // friendly id, tag or task identifier
}

// Scopes is what a credential may do, parsed once. The zero value may do
// nothing. It is immutable, and safe for concurrent use.
type Scopes struct {
	everything bool
	granted    map[grant]struct{}
}

// grant is one scope in the form it is looked up in: id empty for the type.
type grant struct{ action, kind, id string }

const (
	anyAction = "*"   // in a scope: every action
	anyType   = "all" // in a scope: every type, and whatever id follows it
	admin     = "admin"
)

// Everything is the scope of a root key.
func Everything() Scopes { return Scopes{everything: true} }

// ParseScopes reads scopes by the platform's grammar, "action:type[:id]": the
// first two colons delimit, an id keeps further ones ("read:tags:env:prod").
// The bare word "admin" grants everything. A scope without an action or a type,
// or with a blank id, grants nothing and is no error, because tokens may carry
// scopes of other services.
func ParseScopes(texts []string) Scopes {
	var s Scopes
	for _, text := range texts {
		if text == admin {
			s.everything = true
			continue
		}
		g, ok := parseGrant(text)
		if !ok {
			continue
		}
		if s.granted == nil {
			s.granted = make(map[grant]struct{}, len(texts))
		}
		s.granted[g] = struct{}{}
	}
	return s
}

func parseGrant(text string) (grant, bool) {
	action, rest, ok := strings.Cut(text, ":")
	if !ok {
		return grant{}, false
	}
	kind, id, hasID := strings.Cut(rest, ":")
	if action == "" || kind == "" || hasID && strings.TrimSpace(id) == "" {
		return grant{}, false
	}
	if kind == anyType {
		id = ""
	}
	return grant{action, kind, id}, true
}

// May says whether the action is granted on at least one of the resources.
// Several are given when each of them alone is reason enough, as a run may be
// read through its id, its task, its tags or its batch. Without any resource
// only those who may do everything may.
func (s Scopes) May(action string, anyOf ...Resource) bool {
	if s.everything {
		return true
	}
	for _, r := range anyOf {
		if s.grants(action, r) || s.grants(anyAction, r) {
			return true
		}
	}
	return false
}

// MaySome says whether the action is granted on at least one resource of a type,
// whichever: who may not need not say on which.
func (s Scopes) MaySome(action, kind string) bool {
	if s.May(action, Resource{Type: kind}) {
		return true
	}
	for g := range s.granted {
		if (g.action == action || g.action == anyAction) && g.kind == kind {
			return true
		}
	}
	return false
}

func (s Scopes) grants(action string, r Resource) bool {
	return s.has(grant{action, anyType, ""}) ||
		s.has(grant{action, r.Type, ""}) ||
		r.ID != "" && s.has(grant{action, r.Type, r.ID})
}

func (s Scopes) has(g grant) bool {
	_, ok := s.granted[g]
	return ok
}
