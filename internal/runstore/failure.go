package runstore

import "encoding/json"

// The error of a run is JSON in one of a few forms, told apart by "type". SDKs
// check it, and end a subscription over a form they do not know, so errors are
// made here.

// BuiltInError is what a task threw. All three texts are required by SDKs, and
// may be empty.
func BuiltInError(name, message, stackTrace string) json.RawMessage {
	return marshal(struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Message    string `json:"message"`
		StackTrace string `json:"stackTrace"`
	}{"BUILT_IN_ERROR", name, message, stackTrace})
}

// StringError is an error that is a text: what a task threw if it was no error,
// and the reason for which the platform ended a run.
func StringError(raw string) json.RawMessage {
	return marshal(struct {
		Type string `json:"type"`
		Raw  string `json:"raw"`
	}{"STRING_ERROR", raw})
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("runstore: texts are JSON: " + err.Error()) // the structs above hold nothing else
	}
	return b
}
