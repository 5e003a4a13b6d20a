package electric

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Config of a Client.
type Config struct {
	// Origin is Electric's base URL, such as http://electric:3000. Required.
	Origin string
	// Secret is ELECTRIC_SECRET, sent as a query parameter because Electric
	// takes it nowhere else. Empty: none is sent.
	Secret string
	// Transport makes the calls. Default: NewTransport().
	Transport http.RoundTripper
	// Silence is how long the head of an answer to a read may take, but for the
	// first of a shape, which has to be made. Electric waits 5 s for a database that
	// is gone, and 10 s for an offset that it has not got to. Default: 13 s.
	Silence time.Duration
	// Idle is how long a body may bring nothing before its call counts as failed.
	// Default: 30 s.
	Idle time.Duration
	// MaxStall is how long a body that is streamed may be waited for in all, and
	// MaxBody how many bytes it may have. Electric ends an answer where a chunk of
	// its log ends, of 10 MiB if not told otherwise. Defaults: 5 minutes, 1 GiB.
	MaxStall time.Duration
	MaxBody  int64
	// Recheck is how long after an out-of-bounds answer the upstream is asked
	// again before the shape counts as lost. Default: 3 s.
	Recheck time.Duration
}

// Client asks one Electric. It is safe for concurrent use.
type Client struct {
	shape     url.URL
	health    url.URL
	secret    string
	transport http.RoundTripper
	recheck   time.Duration
	silence   time.Duration
	bounds    bounds
	repairs   atomic.Uint64
	old       atomic.Bool // it is a version that admits less
}

var _ shapes.Source = (*Client)(nil)

// New makes a Client. It asks nothing yet.
func New(c Config) (*Client, error) {
	origin, err := url.Parse(c.Origin)
	if err != nil || origin.Host == "" || origin.Scheme != "http" && origin.Scheme != "https" {
		return nil, errors.New("the Electric origin is not an http or https URL: give its base URL, such as http://electric:3000")
	}
	if origin.RawQuery != "" || origin.Fragment != "" || origin.User != nil {
		return nil, errors.New("the Electric origin has a query, a fragment or a password: give its base URL only, and the secret in ELECTRIC_SECRET")
	}
	if origin.Path == "" {
		origin.Path = "/" // JoinPath would make a relative path of it
	}
	client := &Client{
		shape: *origin.JoinPath("v1", "shape"), health: *origin.JoinPath("v1", "health"),
		secret: c.Secret, transport: c.Transport,
	}
	if client.transport == nil {
		client.transport = NewTransport()
	}
	client.silence = cmp.Or(c.Silence, 13*time.Second)
	client.recheck = cmp.Or(c.Recheck, 3*time.Second)
	client.bounds = bounds{
		idle: cmp.Or(c.Idle, 30*time.Second), stall: cmp.Or(c.MaxStall, 5*time.Minute), bytes: cmp.Or(c.MaxBody, 1<<30),
	}
	return client, nil
}

// Read is shapes.Source's.
func (c *Client) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	resp, err := c.ask(ctx, def, pos, false)
	if err != nil {
		cancel(nil)
		return nil, c.concealed(err, def)
	}
	next, err := head(resp, pos, false)
	if err != nil {
		_ = resp.Body.Close()
		cancel(nil)
		return nil, c.concealed(err, def)
	}
	body := newBoundedBody(resp.Body, c.bounds, cancel)
	return &shapes.Page{
		Next:     next,
		Schema:   strings.Clone(resp.Header.Get("Electric-Schema")),
		Messages: messages{shapes.NewScanner(body), c, def},
		Close:    body.Close,
	}, nil
}

// Wait is shapes.Source's. It holds the answer whole, 16 MiB at most.
//
// Electric can name the end of a log chunk in an answer that lacks the row which
// filled the chunk; who goes on from there never sees that row. So the next place is
// that of the last row, and the answer is not up to date: the flight reads on. If that
// row was the only one, it is read here.
func (c *Client) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	news, lacks, err := c.hold(ctx, def, pos)
	switch {
	case err != nil:
		return nil, c.concealed(err, def)
	case lacks:
		return c.readSkipped(ctx, def, pos)
	}
	if last := news.Last; last.Kind == shapes.At && last.Compare(news.Next.Offset) < 0 {
		news.Next.Offset, news.UpToDate = last, false
		c.repairs.Add(1)
	}
	return news, nil
}

// hold makes one held call. lacks says that there is a body without rows, and an offset
// that has moved. Its errors are not fit for a log yet.
func (c *Client) hold(ctx context.Context, def *shapes.Definition, pos shapes.Position) (news *shapes.News, lacks bool, err error) {
	resp, err := c.ask(ctx, def, pos, true)
	if err != nil {
		return nil, false, err
	}
	defer resp.Body.Close()
	next, err := head(resp, pos, true)
	if err != nil {
		return nil, false, err
	}
	batch, err := readBatch(ctx, resp)
	if err != nil {
		return nil, false, err
	}
	if batch.Count > 0 && next == pos { // its reader would be told the same again, at once and for ever
		return nil, false, fault("a live answer to a question at offset %s has rows and does not lead on", pos.Offset)
	}
	if batch.Last.Kind == shapes.At && batch.Last.Compare(pos.Offset) <= 0 {
		return nil, false, fault("a live answer to a question at offset %s ends with the row at %s", pos.Offset, batch.Last)
	}
	lacks = resp.StatusCode == http.StatusOK && batch.Count == 0 && next != pos
	return &shapes.News{Next: next, Batch: *batch}, lacks, nil
}

// readSkipped reads what stands between a place and one that an answer without rows named:
// nothing, or what that answer lacks.
func (c *Client) readSkipped(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	page, err := c.Read(ctx, def, pos)
	if err != nil {
		return nil, err
	}
	defer func() { _ = page.Close() }()
	news := shapes.News{Next: page.Next}
	whole, err := news.Fill(page.Messages, maxLive)
	switch {
	case err != nil:
		return nil, err
	case !whole:
		return nil, c.concealed(fault("what a live answer lacks is larger than %d bytes", maxLive), def)
	case news.Count > 0:
		c.repairs.Add(1)
	}
	return &news, nil
}

// Repairs is how many live answers named an offset beyond their last row, so that
// their readers had to go on from the row instead.
func (c *Client) Repairs() uint64 { return c.repairs.Load() }

// Healthy says whether Electric calls itself active. While it starts, or has
// lost its database, it does not.
func (c *Client) Healthy(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.bounds.idle) // for all of its few bytes
	defer cancel()
	resp, err := c.roundTrip(ctx, c.health)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var says struct{ Status string }
	err = json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&says)
	return resp.StatusCode == http.StatusOK && err == nil && says.Status == "active", nil
}

// ask makes one call, or two if the first was out of bounds. Its errors are not fit
// for a log yet.
func (c *Client) ask(ctx context.Context, def *shapes.Definition, pos shapes.Position, live bool) (*http.Response, error) {
	resp, err := c.askOnce(ctx, def, pos, live)
	if !errors.Is(err, errOutOfBounds) {
		return resp, err
	}
	again := time.NewTimer(c.recheck)
	defer again.Stop()
	select {
	case <-again.C:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	switch ok, err := c.Healthy(ctx); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil || !ok:
		return nil, fault("the offset is out of bounds, and Electric is not active yet")
	}
	resp, err = c.askOnce(ctx, def, pos, live)
	if errors.Is(err, errOutOfBounds) {
		return nil, &shapes.Rotated{OutOfBounds: true}
	}
	return resp, err
}

func (c *Client) askOnce(ctx context.Context, def *shapes.Definition, pos shapes.Position, live bool) (*http.Response, error) {
	var query strings.Builder
	query.WriteString(def.Query())
	query.WriteString("&offset=" + pos.Offset.String())
	if pos.Handle != "" && pos.Offset.Kind != shapes.BeforeAll {
		query.WriteString("&handle=" + url.QueryEscape(pos.Handle))
	}
	if live {
		query.WriteString("&live=true")
	}
	if c.secret != "" {
		query.WriteString("&secret=" + url.QueryEscape(c.secret))
	}
	target := c.shape
	target.RawQuery = query.String()
	resp, err := c.inTime(ctx, target, !live && pos.Offset.Kind != shapes.BeforeAll)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent {
		return resp, nil
	}
	defer resp.Body.Close()
	late := time.AfterFunc(c.bounds.idle, func() { _ = resp.Body.Close() })
	err = meaning(resp, pos)
	if !late.Stop() {
		err = errSilent
	}
	return nil, err
}

var errSilent = &shapes.Unavailable{Err: errors.New("no answer of Electric came in time")}

// inTime asks, and gives up if the head of the answer takes too long, where that is
// bounded here. The call that it was goes on to its body, and ends with ctx.
func (c *Client) inTime(ctx context.Context, target url.URL, bounded bool) (*http.Response, error) {
	if !bounded {
		return c.roundTrip(ctx, target)
	}
	limited, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(c.silence, func() { cancel(errSilent) })
	resp, err := c.roundTrip(limited, target)
	if !late.Stop() && err == nil { // it came in the moment in which it was given up
		_ = resp.Body.Close()
		err = errSilent
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &ending{resp.Body, func() { cancel(nil) }}
	return resp, nil
}

// ending is a body with something to do at its end.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

func (c *Client) roundTrip(ctx context.Context, target url.URL) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: &target, Host: target.Host, Header: http.Header{}}).WithContext(ctx)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fault("asking Electric: %w", brief(err))
	}
	c.learn(resp.Header)
	return resp, nil
}
