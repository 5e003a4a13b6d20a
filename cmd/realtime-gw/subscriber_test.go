package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// subscriber follows a feed as Electric's client does: it asks from the beginning until
// it is up to date, then waits, and goes on where the last answer said.
type subscriber struct {
	client     *http.Client
	url        string // of the feed, with a query that can be added to
	credential string

	mu      sync.Mutex
	changed *sync.Cond
	rows    map[string]map[string]any
	faults  []string  // what a subscriber would see
	retries []string  // what it would not: a connection that ended before an answer
	sent    time.Time // away, for the first time: an answer was the last of its connection
}

// A subscriber has a connection of its own, as a browser has: one pool for all would open
// connections ahead of need, and take it for an error when one is closed before its use.
func newSubscriber(feed, credential string) *subscriber {
	s := &subscriber{client: &http.Client{Transport: &http.Transport{}}, url: feed, credential: credential, rows: make(map[string]map[string]any)}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// follow asks until ctx ends or something is wrong.
func (s *subscriber) follow(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	query := url.Values{"offset": {"-1"}}
	for ctx.Err() == nil {
		header, body, err := s.ask(ctx, query)
		if ctx.Err() != nil {
			return
		}
		if _, ok := errors.AsType[*url.Error](err); ok { // the client asks again by itself
			s.mu.Lock()
			s.retries = append(s.retries, err.Error())
			s.mu.Unlock()
			continue
		}
		if err == nil {
			err = s.apply(body)
		}
		if err != nil {
			s.fault(err.Error())
			return
		}
		query = url.Values{"handle": {header.Get("Electric-Handle")}, "offset": {header.Get("Electric-Offset")}}
		if cursor := header.Get("Electric-Cursor"); cursor != "" {
			query.Set("cursor", cursor)
		}
		if _, ok := header["Electric-Up-To-Date"]; ok {
			query.Set("live", "true")
		}
	}
}

func (s *subscriber) ask(ctx context.Context, query url.Values) (http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"&"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.credential)
	res, err := s.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if res.Close && s.sent.IsZero() {
		s.sent = time.Now()
	}
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", res.StatusCode, body)
	}
	return res.Header, body, err
}

// apply takes in the messages of an answer.
func (s *subscriber) apply(body []byte) error {
	var messages []struct {
		Key     string
		Value   map[string]any
		Headers struct{ Operation, Control string }
	}
	if err := json.Unmarshal(body, &messages); err != nil {
		return fmt.Errorf("an answer that is no JSON: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	for _, m := range messages {
		switch row := s.rows[m.Key]; m.Headers.Operation {
		case "insert":
			s.rows[m.Key] = m.Value
		case "update":
			if row == nil {
				return fmt.Errorf("an update of %s, which was never inserted", m.Key)
			}
			maps.Copy(row, m.Value)
		case "delete":
			delete(s.rows, m.Key)
		default:
			if m.Headers.Control == "must-refetch" {
				return fmt.Errorf("a must-refetch in a body")
			}
		}
	}
	return nil
}

func (s *subscriber) fault(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, text)
	s.changed.Broadcast()
}

// until waits until a number of rows have a value in a column, or something is wrong.
func (s *subscriber) until(n int, column, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.faults) == 0 {
		have := 0
		for _, row := range s.rows {
			if row[column] == value {
				have++
			}
		}
		if have == n {
			return
		}
		s.changed.Wait()
	}
}
