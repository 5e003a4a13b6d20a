package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"unicode/utf8"
)

// What the bodies of requests may have, in bytes. SDKs put payloads of 128 KiB and
// more into the platform's object store, and send their names.
const (
	maxTriggerBody  = 3 << 20
	maxMetadataBody = 2 << 20
	maxSmallBody    = 64 << 10
	maxItemsBody    = 16 << 20
	maxItem         = maxTriggerBody // one of a batch: what a trigger alone may have
)

// readBody reads a body whole.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &refusal{status: http.StatusRequestTimeout, text: "The body did not come in time", retry: yes}
	case err != nil:
		return nil, &refusal{status: http.StatusBadRequest, text: "The body could not be read to its end", cause: err}
	}
	return body, nil
}

func tooLarge() error {
	return &refusal{status: http.StatusRequestEntityTooLarge, text: "Request body too large", retry: no}
}

// checkItem refuses an item of a batch that is too large, before it is read.
func checkItem(text []byte) error {
	if len(text) <= maxItem {
		return nil
	}
	return &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("The item has more than %d bytes", maxItem), retry: no}
}

// readFields reads a body that is one JSON object.
func readFields(w http.ResponseWriter, r *http.Request, most int64, issues *[]issue) (fields, error) {
	body, err := readBody(w, r, most)
	if err != nil {
		return fields{}, err
	}
	return parseObject(body, issues)
}

func parseObject(body []byte, issues *[]issue) (fields, error) {
	body = bytes.TrimSpace(body)
	if !utf8.Valid(body) || !json.Valid(body) {
		return fields{}, &refusal{status: http.StatusBadRequest, text: "Invalid JSON", retry: no}
	}
	f := newFields(body, issues)
	return f, refused(*issues)
}

// refused is the error of a body with which something is wrong.
func refused(issues []issue) error {
	if len(issues) == 0 {
		return nil
	}
	return bodyError(issues...)
}
