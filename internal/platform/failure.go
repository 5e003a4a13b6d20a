package platform

import "encoding/json"

// shownError is the error of a run as an answer shows it.
type shownError struct {
	Name       string          `json:"name,omitempty"`
	Message    string          `json:"message"`
	StackTrace string          `json:"stackTrace,omitempty"`
	Causes     json.RawMessage `json:"causes,omitempty"`
}

// shown reads the stored form of an error, which package runstore makes; nil for
// none. What is in no known form is said to be.
func shown(stored json.RawMessage) *shownError {
	if len(stored) == 0 {
		return nil
	}
	var e struct {
		Type, Name, Message, StackTrace, Raw, Code string
		Causes                                     json.RawMessage
	}
	if json.Unmarshal(stored, &e) != nil {
		return &shownError{Message: "The error of this run cannot be read"}
	}
	switch e.Type {
	case "BUILT_IN_ERROR":
		return &shownError{Name: e.Name, Message: e.Message, StackTrace: e.StackTrace, Causes: e.Causes}
	case "STRING_ERROR", "CUSTOM_ERROR":
		return &shownError{Message: e.Raw}
	case "INTERNAL_ERROR":
		return &shownError{Message: "trigger.dev internal error (" + e.Code + ")"}
	}
	return &shownError{Message: "The error of this run cannot be read"}
}

// internalError is the stored form of an error of the platform's own.
func internalError(code string) json.RawMessage {
	return json.RawMessage(`{"type":"INTERNAL_ERROR","code":"` + code + `"}`) // codes are words of this package
}
