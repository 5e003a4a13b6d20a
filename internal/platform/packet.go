package platform

import "encoding/json"

// The media types of payloads, outputs and metadata.
const (
	plainJSON = "application/json"
	superJSON = "application/super+json" // {"json": value, "meta": what JSON has no word for}
	plainText = "text/plain"
	stored    = "application/store" // the text names a file in the platform's object store
)

// valueOf is a payload, an output or metadata as a value in an answer; nil for
// what cannot be shown. What JSON has no word for, such as a date, is shown as the
// text that JavaScript makes of it.
func valueOf(text, mediaType string) json.RawMessage {
	switch mediaType {
	case plainJSON:
		return valid(text)
	case superJSON:
		var packet struct {
			JSON json.RawMessage `json:"json"`
		}
		if json.Unmarshal([]byte(text), &packet) != nil {
			return nil
		}
		return packet.JSON
	case plainText:
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil
		}
		return quoted
	}
	return nil
}

func valid(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

// record is a value if it is an object: SDKs refuse metadata that is none.
func record(value json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) != nil || object == nil {
		return nil
	}
	return value
}
