package platform

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// The actions that routes ask for.
const (
	read         = "read"
	write        = "write"
	batchTrigger = "batchTrigger"
)

// enter says who asks.
func (p *platform) enter(r *http.Request) (*auth.Principal, error) {
	return p.config.Auth.Authenticate(r.Context(), r.Header)
}

// param is a segment of the path, decoded.
func param(r *http.Request, name string) (string, error) {
	value := chi.URLParam(r, name)
	if r.URL.RawPath == "" { // chi has read the decoded path
		return value, nil
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", paramsError(name, "a malformed % escape")
	}
	return decoded, nil
}

// textParam is a segment that is any text which can be stored. An error calls it by the
// name that the platform has for it.
func textParam(r *http.Request, segment, name string, most int) (string, error) {
	text, err := param(r, segment)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > most {
		return "", paramsError(name, fmt.Sprintf("holds a NUL character, is not UTF-8, or has more than %d characters", most))
	}
	return text, nil
}

func runParam(r *http.Request) (runid.Friendly, error) {
	text, err := param(r, "run")
	if err != nil {
		return runid.Friendly{}, err
	}
	id, err := runid.ParseRun(text)
	if err != nil {
		return runid.Friendly{}, paramsError("runId", "is not a run's id: run_ and letters and digits")
	}
	return id, nil
}

func batchParam(r *http.Request) (runid.Friendly, error) {
	text, err := param(r, "batch")
	if err != nil {
		return runid.Friendly{}, err
	}
	id, err := runid.ParseBatch(text)
	if err != nil {
		return runid.Friendly{}, paramsError("batchId", "is not a batch's id: batch_ and letters and digits")
	}
	return id, nil
}

// openRun is the run that a path names, for who may enter and read it: through its
// id, its task, one of its tags or its batch. As on the platform, what is not there
// is a 404 before it is a 403.
func (p *platform) openRun(r *http.Request, enter func(*http.Request) (*auth.Principal, error)) (runstore.Run, error) {
	who, err := enter(r)
	if err != nil {
		return runstore.Run{}, err
	}
	id, err := runParam(r)
	if err != nil {
		return runstore.Run{}, err
	}
	ref, err := p.config.Store.FindRefByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return runstore.Run{}, lookup(err)
	}
	if err := who.Require(read, resources(ref)...); err != nil {
		return runstore.Run{}, err
	}
	run, err := p.config.Store.FindByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return runstore.Run{}, lookup(err)
	}
	return run, nil
}

// findRun is a run as it is now, in the environment of who asks.
func (p *platform) findRun(r *http.Request, who *auth.Principal, id string) (runstore.Run, error) {
	friendly, err := runid.ParseRun(id)
	if err != nil {
		return runstore.Run{}, err // not reached: the store has found it
	}
	return p.config.Store.OnPrimary().FindByFriendlyID(r.Context(), who.Environment.ID, friendly)
}

// resources are those through which a run may be read.
func resources(run runstore.Ref) []auth.Resource {
	all := []auth.Resource{{Type: "runs", ID: run.FriendlyID}, {Type: "tasks", ID: run.TaskIdentifier}}
	for _, tag := range run.Tags {
		all = append(all, auth.Resource{Type: "tags", ID: tag})
	}
	if run.BatchFriendlyID != nil {
		all = append(all, auth.Resource{Type: "batch", ID: *run.BatchFriendlyID})
	}
	return all
}
