package upstream

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
)

// Answer is one of the server behind, before it is passed on.
type Answer struct {
	Request *http.Request
	Status  int
	Header  http.Header
	Body    []byte

	// Break is where the body breaks off, in bytes; 0: nowhere. The head says more.
	Break int
	// Until has the body stall at Break instead, until it is closed, and go on then.
	Until <-chan struct{}
}

// Live says whether the question was held.
func (a *Answer) Live() bool { return a.Request.URL.Query().Get("live") == "true" }

// messages are those of the body of a 200; nil: it has none.
func (a *Answer) messages() (all []json.RawMessage) {
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &all) != nil {
		return nil
	}
	return all
}

func (a *Answer) put(all []json.RawMessage) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(all); err != nil { // they were JSON
		panic(err)
	}
	a.Body = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

func isChange(m json.RawMessage) bool { return bytes.Contains(m, []byte(`"operation"`)) }

func isUpToDate(m json.RawMessage) bool { return bytes.Contains(m, []byte(`"up-to-date"`)) }

// SkipTheLast takes the last row out of a held answer, and leaves the offset that it
// named: what Electric does where a row closes a chunk of the log. It says whether
// there was one.
func SkipTheLast(a *Answer) bool {
	all, last, changes := a.messages(), -1, 0
	for i, m := range all {
		if isChange(m) {
			last, changes = i, changes+1
		}
	}
	if !a.Live() || changes == 0 {
		return false
	}
	a.put(slices.Delete(all, last, last+1))
	return true
}

// NotUpToDate has a held answer with rows not be up to date: what Electric does with a
// transaction that is larger than what is left of a chunk. It says whether it had
// rows.
func NotUpToDate(a *Answer) bool {
	all := a.messages()
	if !a.Live() || !slices.ContainsFunc(all, isChange) {
		return false
	}
	a.put(slices.DeleteFunc(all, isUpToDate))
	a.Header.Del("Electric-Up-To-Date")
	return true
}
