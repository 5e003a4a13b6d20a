package platform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// operationTypes are the changes of metadata that SDKs know.
var operationTypes = []string{"update", "set", "delete", "append", "remove", "increment"}

// operations reads a list of changes of metadata. What does not fit their schema is
// noted; what fits and cannot be done is package trigger's to refuse.
func (f fields) operations(name string) []trigger.Operation {
	var list []json.RawMessage
	if json.Unmarshal(f.members[name], &list) != nil {
		f.wrong(name, "is not a list of operations")
	}
	all := make([]trigger.Operation, len(list))
	for i, text := range list {
		all[i] = newFields(text, f.issues, append(f.at(name), fmt.Sprint(i))...).operation()
	}
	return all
}

func (f fields) operation() (o trigger.Operation) {
	if f.members == nil {
		return o // no object, which is noted
	}
	if o.Type = f.text("type", 0); !slices.Contains(operationTypes, o.Type) {
		f.wrong("type", "Invalid option: expected one of "+strings.Join(operationTypes, ", "))
		return o
	}
	if o.Type != "update" {
		f.required("key", "string")
		o.Key = f.text("key", 0)
	}
	switch o.Type {
	case "delete":
		return o
	case "update":
		f.required("value", "object")
		f.has("value", "object")
	case "increment":
		f.required("value", "number")
		f.has("value", "number")
	default:
		f.required("value", "any value")
	}
	o.Value = f.members["value"]
	return o
}
