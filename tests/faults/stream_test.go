package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// stream takes in server-sent events until they end. What came since the last up-to-date
// counts only with the next one, which names the place behind it. An end that is not clean
// is the end of client 1.0.
func (r *reader) stream(ctx context.Context, body io.Reader, asked, next url.Values) (url.Values, time.Duration, error) {
	if next.Get("offset") != asked.Get("offset") {
		return nil, 0, fmt.Errorf("the head of a stream from %s names %s", asked.Get("offset"), next.Get("offset"))
	}
	r.live(next)
	var pending []message
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadString('\n')
		switch {
		case ctx.Err() != nil:
			return nil, 0, nil
		case err == io.EOF && line == "" && len(pending) == 0:
			return next, 0, nil
		case err == io.EOF:
			return nil, 0, fmt.Errorf("a stream ended with %q and %d messages that are not up to date", line, len(pending))
		case err != nil:
			return nil, 0, fmt.Errorf("a stream broke off: %w", err)
		}
		data, is := strings.CutPrefix(line, "data: ")
		if !is {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			return nil, 0, fmt.Errorf("an event %.200q: %w", data, err)
		}
		pending = append(pending, m)
		if m.Headers.Control != "up-to-date" {
			continue
		}
		next.Set("offset", m.Headers.LastSeen+"_0")
		if _, err := r.take(pending); err != nil {
			return nil, 0, err
		}
		pending = nil
	}
}
