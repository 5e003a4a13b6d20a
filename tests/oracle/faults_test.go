package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestFaultsAreNoticed breaks what the gateway is told or what it says, and wants
// the oracle to say so, for the right reason.
func TestFaultsAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		broken faults
		kinds  []kind
	}{
		"a side's deltas are dropped": {
			faults{upstream: editUpstream(dropDeltas)}, []kind{orphan, diverged, wrongState, lost, tooEarly},
		},
		"rows come twice":             {faults{answers: editAnswers(twice)}, []kind{orphan, regression}},
		"a canary is let through":     {faults{answers: letThrough}, []kind{stranger}},
		"a column is lost":            {faults{upstream: editUpstream(loseColumn)}, []kind{wrongState}},
		"an old state is sent again":  {faults{answers: replay}, []kind{regression}},
		"live is answered at once":    {faults{answers: answerAtOnce}, []kind{notHeld}},
		"readers are reset":           {faults{answers: reset}, []kind{refetched}},
		"up to date is said too soon": {faults{answers: editAnswers(tooSoon)}, []kind{diverged, badControl, orphan, tooEarly}},
	} {
		t.Run(name, func(t *testing.T) {
			const tries = 3 // a seed may have nothing that the fault could spoil
			for seed := uint64(1); seed <= tries; seed++ {
				err := play(t, faultless(seed), c.broken)
				if err == nil {
					continue
				}
				t.Logf("seed %d: %.400s", seed, err)
				if v := asViolation(err); v == nil || !slices.Contains(c.kinds, v.kind) {
					t.Errorf("noticed as something else than %q: %v", c.kinds, err)
				}
				return
			}
			t.Errorf("not noticed in %d seeds", tries)
		})
	}
}

// faultless is the world of a seed in which a fault is looked for.
func faultless(seed uint64) settings {
	s := settingsOf(seed)
	s.hold, s.longPoll, s.truncates, s.patience = defaultHold, defaultHold, false, patience
	s.phases, s.transactions, s.extraReaders, s.widest = 2, 10, 0, 200
	return s
}

// Without a fault nothing is noticed in those worlds.
func TestNothingIsNoticedWithoutAFault(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // which ends the transactions that it left open
			if err := play(t, faultless(seed), faults{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// edit changes the messages of a body. Rows and control messages come in one list.
type edit func(r *http.Request, list []json.RawMessage) []json.RawMessage

// editUpstream changes what the shape server answers.
func editUpstream(change edit) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err != nil || response.StatusCode != http.StatusOK {
				return response, err
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				return nil, err
			}
			body = changed(r, body, change)
			response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return response, nil
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// editAnswers changes what a gateway answers.
func editAnswers(change edit) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorded := record(next, r)
			if recorded.Code == http.StatusOK {
				recorded.Body = bytes.NewBuffer(changed(r, recorded.Body.Bytes(), change))
			}
			send(w, recorded)
		})
	}
}

func record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

func send(w http.ResponseWriter, r *httptest.ResponseRecorder) {
	for name, v := range r.Header() {
		if name != "Content-Length" {
			w.Header()[name] = v
		}
	}
	w.WriteHeader(r.Code)
	_, _ = w.Write(r.Body.Bytes()) // the reader left
}

func changed(r *http.Request, body []byte, change edit) []byte {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil || len(list) == 0 {
		return body
	}
	return []byte("[" + string(bytes.Join(toBytes(change(r, list)), []byte(","))) + "]")
}

func toBytes(list []json.RawMessage) (out [][]byte) {
	for _, m := range list {
		out = append(out, m)
	}
	return out
}

func decoded(raw json.RawMessage) (m message) {
	_ = json.Unmarshal(raw, &m) // what is no message stays as it is
	return m
}

func rows(list []json.RawMessage) []json.RawMessage {
	return slices.DeleteFunc(slices.Clone(list), func(m json.RawMessage) bool { return !isChange(decoded(m)) })
}

func live(r *http.Request) bool { return r.URL.Query().Get("live") == "true" }

// dropDeltas drops the log of one table, transaction by transaction, but for every
// third.
func dropDeltas(_ *http.Request, list []json.RawMessage) []json.RawMessage {
	return slices.DeleteFunc(list, func(raw json.RawMessage) bool {
		m := decoded(raw)
		return len(m.Headers.TxIDs) == 1 && m.Headers.TxIDs[0]%3 > 0 && m.Headers.Relation[1] == "TaskRun"
	})
}

// twice gives the rows of live answers a second time.
func twice(r *http.Request, list []json.RawMessage) []json.RawMessage {
	if !live(r) {
		return list
	}
	return append(rows(list), list...)
}

// loseColumn takes a column from whole rows.
func loseColumn(_ *http.Request, list []json.RawMessage) []json.RawMessage {
	for i, raw := range list {
		list[i] = json.RawMessage(strings.Replace(string(raw), `"taskIdentifier":"task",`, "", 1))
	}
	return list
}

// tooSoon takes the last row away from those who catch up.
func tooSoon(r *http.Request, list []json.RawMessage) []json.RawMessage {
	if n := len(rows(list)); !live(r) && n > 0 && n < len(list) {
		return slices.Delete(list, n-1, n)
	}
	return list
}

// letThrough gives readers who start a row of the other environment, if that has
// one in the feed.
func letThrough(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := record(next, r)
		if r.URL.Query().Get("offset") == "-1" && answer.Code == http.StatusOK {
			other := r.Clone(r.Context())
			other.Header.Set("Authorization", "Bearer "+otherKey)
			var theirs []json.RawMessage
			_ = json.Unmarshal(record(next, other).Body.Bytes(), &theirs) // a 404 has none
			if theirs = rows(theirs); len(theirs) > 0 {
				answer.Body = bytes.NewBuffer(changed(r, answer.Body.Bytes(), func(_ *http.Request, list []json.RawMessage) []json.RawMessage {
					return append(theirs[:1], list...)
				}))
			}
		}
		send(w, answer)
	})
}

// replay gives the first state of a row again with a later live answer.
func replay(next http.Handler) http.Handler {
	var mu sync.Mutex
	first := make(map[string]json.RawMessage) // by feed and key
	return editAnswers(func(r *http.Request, list []json.RawMessage) []json.RawMessage {
		mu.Lock()
		defer mu.Unlock()
		feed := r.URL.Path + r.URL.Query().Get("tags") + r.URL.Query().Get("skipColumns") + r.Header.Get("Authorization")
		var again []json.RawMessage
		for _, raw := range rows(list) {
			m := decoded(raw)
			switch old, known := first[feed+m.Key]; {
			case m.Headers.Operation == "insert" && !known:
				first[feed+m.Key] = raw
			case live(r) && known:
				again = append(again, as(old, m.Headers))
			}
		}
		return slices.Insert(list, len(rows(list)), again...)
	})(next)
}

// as gives a message the place in the log behind another one, and no transaction:
// nothing but its row says that it is old.
func as(raw json.RawMessage, h headers) json.RawMessage {
	var m struct {
		Key     string                     `json:"key"`
		Value   json.RawMessage            `json:"value"`
		Headers map[string]json.RawMessage `json:"headers"`
	}
	_ = json.Unmarshal(raw, &m)
	delete(m.Headers, "txids")
	m.Headers["lsn"], _ = json.Marshal(h.LSN)
	m.Headers["op_position"], _ = json.Marshal(h.OpPosition + 1)
	out, _ := json.Marshal(m)
	return out
}

// answerAtOnce says to every live request that nothing happened.
func answerAtOnce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !live(r) {
			next.ServeHTTP(w, r)
			return
		}
		q := r.URL.Query()
		h := w.Header()
		h.Set("Electric-Handle", q.Get("handle"))
		h.Set("Electric-Offset", q.Get("offset"))
		h.Set("Electric-Cursor", "1")
		h["Electric-Up-To-Date"] = []string{""}
		_, _ = io.WriteString(w, `[{"headers":{"control":"up-to-date"}}]`)
	})
}

// reset sends every reader away once it is live.
func reset(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !live(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Electric-Handle", "another")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `[{"headers":{"control":"must-refetch"}}]`)
	})
}
