package auth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The platform's texts. SDK users see them, and some match on them.
const (
	missingKey   = "Invalid or Missing API key"
	invalidKey   = "Invalid API key"
	unknownToken = "Invalid Public Access Token"
	invalidToken = "Public Access Token is invalid"
	needsBranch  = "x-trigger-branch header required for preview env"
	noBranch     = "No matching branch env"
	notAllowed   = "Unauthorized"
	unavailable  = "Authentication is temporarily unavailable"
)

// retryAfter is what a client is asked to wait when the directory failed. SDKs
// ignore it and retry after 100 ms, so it only spreads the others.
const retryAfter = time.Second

// Error is a credential that was refused, or could not be checked. What the
// client may read is Status, Body and RetryAfter; Error() says more and is for
// the log. Neither holds a key or a token.
type Error struct {
	Status     int           // 401, 403 or 503
	RetryAfter time.Duration // zero, except with a 503

	public publicError
	detail string
	cause  error
}

// publicError is the body of an answer. The last three stand in a 403 only.
type publicError struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
	Param string `json:"param,omitempty"`
	Type  string `json:"type,omitempty"`
}

// Body is the JSON that the client gets.
func (e *Error) Body() []byte {
	body, err := json.Marshal(e.public)
	if err != nil {
		panic(fmt.Sprintf("auth: four strings do not marshal: %v", err))
	}
	return body
}

// Error is for the log: the public text and why.
func (e *Error) Error() string {
	s := fmt.Sprintf("auth: %d %s: %s", e.Status, e.public.Error, e.detail)
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the directory's error behind a 503.
func (e *Error) Unwrap() error { return e.cause }

// refused is a 401. detail is a fixed text, never one made from the request.
func refused(text, detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, public: publicError{Error: text}, detail: detail}
}

func forbidden(action string) *Error {
	return &Error{
		Status: http.StatusForbidden,
		public: publicError{Error: notAllowed, Code: "unauthorized", Param: "access_token", Type: "authorization"},
		detail: "no scope grants " + action + " here",
	}
}

func notChecked(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		public: publicError{Error: unavailable}, detail: "the directory of environments failed", cause: cause,
	}
}
