package electric

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// canned answers every request alike, and counts the bodies that are open.
type canned struct {
	status  int
	header  http.Header
	body    string
	open    int
	entered chan struct{} // told of each request, if not nil
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	c.open++
	if c.entered != nil {
		c.entered <- struct{}{}
	}
	return &http.Response{StatusCode: c.status, Header: c.header, Body: &counted{strings.NewReader(c.body), c}, ContentLength: -1, Request: r}, nil
}

type counted struct {
	io.Reader
	of *canned
}

func (c *counted) Close() error {
	c.of.open--
	return nil
}

func over(t *testing.T, transport http.RoundTripper, recheck time.Duration) *Client {
	t.Helper()
	c, err := New(Config{Origin: "http://electric:3000", Transport: transport, Recheck: recheck})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A body that nobody is given is closed: otherwise its connection is lost.
func TestEveryBodyIsClosed(t *testing.T) {
	for name, c := range map[string]*canned{
		"no handle":      {status: 200, header: http.Header{"Electric-Offset": {"9_0"}}, body: "[]"},
		"another handle": {status: 200, header: http.Header{"Electric-Offset": {"9_0"}, "Electric-Handle": {"9-9"}}, body: "[]"},
		"409":            {status: 409, body: "[]"},
		"refused":        {status: 400, body: "{}"},
		"out of bounds":  {status: 400, body: `{"errors":{"offset":["out of bounds for this shape"]}}`},
		"503":            {status: 503},
		"not messages":   {status: 200, header: http.Header{"Electric-Offset": {"9_0"}, "Electric-Handle": {place.Handle}}, body: "["},
		"gzip":           {status: 200, header: http.Header{"Content-Encoding": {"gzip"}}, body: "["},
	} {
		if c.status == 200 {
			c.header.Set("content-type", "application/json")
			c.header.Set("electric-schema", "{}")
		}
		client := over(t, c, time.Millisecond)
		if _, err := client.Wait(t.Context(), def, place); err == nil {
			t.Errorf("%s: Wait gave no error", name)
		}
		if page, err := client.Read(t.Context(), def, place); err == nil {
			page.Close()
		}
		_, _ = client.Healthy(t.Context())
		if c.open != 0 {
			t.Errorf("%s: %d bodies are left open", name, c.open)
		}
	}
}

// Who waits for an Electric that is behind can still go away at once.
func TestTheRecheckCanBeGivenUp(t *testing.T) {
	c := &canned{status: 400, body: `{"errors":{"offset":["out of bounds for this shape"]}}`, entered: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("gone")
	go func() {
		<-c.entered
		cancel(why)
	}()
	var rotated *shapes.Rotated
	if _, err := over(t, c, time.Hour).Wait(ctx, def, place); err != why || errors.As(err, &rotated) {
		t.Errorf("got %v, want the cause", err)
	}
}
