package platform

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// trigger answers POST /v1/tasks/{task}/trigger.
func (p *platform) trigger(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enter(r)
	if err != nil {
		return err
	}
	task, err := textParam(r, "task", "taskId", maxName)
	if err != nil {
		return err
	}
	if err := mayTrigger(who, "trigger", task); err != nil {
		return err
	}
	request, err := p.readTrigger(w, r)
	if err != nil {
		return err
	}
	request.Environment, request.Task, request.OneTimeUseToken = who.Environment, task, who.OneTimeUse
	request.WorkerQueue = p.config.WorkerQueue
	made, err := p.once(r, request)
	if err != nil {
		return triggerError(err)
	}
	if err := p.grant(w, r, who, "read:runs:"+made.ID, "write:inputStreams:"+made.ID); err != nil {
		return err
	}
	return answer(w, made)
}

// triggered is the answer to a trigger.
type triggered struct {
	ID       string `json:"id"`
	IsCached bool   `json:"isCached"`
}

// readTrigger reads body and headers of a trigger.
func (p *platform) readTrigger(w http.ResponseWriter, r *http.Request) (trigger.Request, error) {
	var issues []issue
	body, err := readFields(w, r, maxTriggerBody, &issues)
	if err != nil {
		return trigger.Request{}, err
	}
	now := p.config.Now()
	request := parseRun(body, now)
	headers := headerFields(r.Header, &issues, "idempotency-key", "idempotency-key-ttl") // of SDKs before 3.3
	if key := headers.text("idempotency-key", maxKey); key != "" && request.IdempotencyKey == "" {
		request.IdempotencyKey = key
		request.IdempotencyKeyExpiresAt = headers.keyLife("idempotency-key-ttl", now)
	}
	request.Trace, request.StreamsVersion = traceOf(r.Header), streamsVersion(r.Header)
	if err := refused(issues); err != nil {
		return request, err
	}
	return request, checkLimits(request)
}

// headerFields are headers as members, so that they are checked as those are.
func headerFields(h http.Header, issues *[]issue, names ...string) fields {
	f := fields{members: map[string]json.RawMessage{}, issues: issues}
	for _, name := range names {
		if value := h.Get(name); value != "" {
			quoted, err := json.Marshal(value)
			if err == nil {
				f.members[name] = quoted
			}
		}
	}
	return f
}

var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// traceOf is the place in a trace that a request names. A run that is only linked
// to it gets a trace of its own.
func traceOf(h http.Header) trigger.Trace {
	parts := traceparent.FindStringSubmatch(h.Get("Traceparent"))
	if parts == nil || h.Get("X-Trigger-Span-Parent-As-Link") == "1" {
		return trigger.Trace{}
	}
	return trigger.Trace{TraceID: parts[1], ParentSpanID: parts[2]}
}

func streamsVersion(h http.Header) string {
	if h.Get("X-Trigger-Realtime-Streams-Version") == "v2" {
		return "v2"
	}
	return "v1"
}

// mayTrigger says whether somebody may trigger a task. Who may write tasks may.
func mayTrigger(who *auth.Principal, action, task string) error {
	resource := auth.Resource{Type: "tasks", ID: task}
	if who.May(write, resource) {
		return nil
	}
	return who.Require(action, resource)
}

// grant sends, in headers, a token for what was made, and its claims for SDKs that
// sign one themselves.
func (p *platform) grant(w http.ResponseWriter, r *http.Request, who *auth.Principal, scopes ...string) error {
	claims, err := json.Marshal(claimsOf(who))
	if err != nil {
		return err
	}
	w.Header().Set("X-Trigger-Jwt-Claims", string(claims))
	entry, err := p.config.Directory.EnvironmentByID(r.Context(), who.Environment.ID)
	if err != nil {
		return unavailable(err)
	}
	now := p.config.Now()
	token, err := auth.Sign(entry.SigningKeys[0], auth.Token{
		EnvironmentID: who.Environment.ID, Scopes: scopes, IssuedAt: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		return err
	}
	w.Header().Set("X-Trigger-Jwt", token)
	return nil
}

type claims struct {
	Subject string `json:"sub"`
	Public  bool   `json:"pub"`
}

func claimsOf(who *auth.Principal) claims { return claims{who.Environment.ID, true} }

// triggerError gives what package trigger refuses the platform's status and text.
func triggerError(err error) error {
	if _, ok := errors.AsType[*refusal](err); ok {
		return err // it is put into words already
	}
	if e, ok := errors.AsType[*trigger.InvalidError](err); ok {
		status := http.StatusUnprocessableEntity
		if e.TooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		return &refusal{status: status, text: e.Error(), retry: no, cause: err}
	}
	if e, ok := errors.AsType[*trigger.StatusError](err); ok {
		return &refusal{status: http.StatusUnprocessableEntity, text: e.Error(), retry: no, cause: err}
	}
	if e, ok := errors.AsType[*trigger.NotFoundError](err); ok {
		if e.What == "parent run" {
			return &refusal{status: http.StatusForbidden, text: "Unauthorized", retry: no, cause: err}
		}
		return notFound(upper(e.What)+" not found", no)
	}
	switch {
	case errors.Is(err, trigger.ErrTokenUsed):
		return &refusal{status: http.StatusUnprocessableEntity, text: "This one-time use token has already been used", retry: no, cause: err}
	case errors.Is(err, trigger.ErrBuffered):
		return &refusal{status: http.StatusServiceUnavailable, text: "The run of this idempotency key is still in the trigger buffer, and a parent cannot wait for it there: try again", after: time.Second, cause: err}
	case errors.Is(err, trigger.ErrTokenBusy):
		return &refusal{status: http.StatusServiceUnavailable, text: "Another request with this one-time use token is still at work: try again", after: time.Second, cause: err}
	case errors.Is(err, trigger.ErrBusy):
		return &refusal{status: http.StatusServiceUnavailable, text: "Idempotency claim resolution timed out", after: time.Second, cause: err}
	}
	return unavailable(err)
}

// upper begins a text with a capital.
func upper(text string) string { return string(text[0]-'a'+'A') + text[1:] }
