package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/metrics"
)

// bare is what a gateway in Go cannot be cheaper than on this machine: a handler that
// parks its clients, and wakes all of them with the same bytes.
type bare struct {
	next    atomic.Pointer[news]
	metrics *metrics.Metrics
}

// news is an answer of a gateway, which bare gives instead.
type news struct {
	Head   http.Header
	Body   []byte
	landed chan struct{}
}

// ServeHTTP is all that there is to it.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	next := b.next.Load()
	if strings.Contains(r.URL.RawQuery, "live=true") {
		b.metrics.Holding(1)
		defer b.metrics.Holding(-1)
		select {
		case <-next.landed:
		case <-r.Context().Done():
			return
		}
	}
	maps.Copy(w.Header(), next.Head)
	_, _ = w.Write(next.Body) // the client is gone: nobody is left to tell
}

// wake is told over the port for metrics what to wake with.
func (b *bare) wake(w http.ResponseWriter, r *http.Request) {
	var told news
	if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	woken := b.next.Load()
	woken.Head, woken.Body = told.Head, told.Body
	b.next.Store(&news{Head: told.Head, Body: told.Body, landed: make(chan struct{})})
	close(woken.landed)
}

// playBare is bare in a process of its own.
func playBare() error {
	b := &bare{metrics: metrics.New()}
	b.next.Store(&news{landed: make(chan struct{})})
	looks := newLooks(b.metrics)
	looks.HandleFunc("POST /wake", b.wake)
	server := &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	return serve(server.Serve, looks)
}

// bare starts it, with an answer of a gateway to begin with.
func (l *lab) bare(ctx context.Context, first *news) (*child, error) {
	c, err := l.play(ctx, "bare")
	if err != nil {
		return nil, err
	}
	return c, wake(ctx, c, first)
}

// wake has bare wake those who wait.
func wake(ctx context.Context, c *child, with *news) error {
	told, err := json.Marshal(with)
	if err != nil {
		return err
	}
	return post(ctx, "http://"+c.metrics+"/wake", told)
}

// numbered is the news with another commit's number in it, which is as long.
func (n *news) numbered(commit int) *news {
	before, rest, _ := bytes.Cut(n.Body, []byte(mark))
	return &news{Head: n.Head, Body: bytes.Join([][]byte{before, []byte(mark), []byte(number(commit)), rest[len(number(0)):]}, nil)}
}

// record has a gateway answer a live request, and keeps the answer.
func (l *lab) record(ctx context.Context, gateway *child) (*news, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err := l.feed(ctx)
	if err != nil {
		return nil, err
	}
	c := newClient(l.via(gateway, f.tag))
	defer c.close()
	if _, err := c.catchUp(ctx); err != nil {
		return nil, err
	}
	_, commit := l.commit(f, 1)
	if _, err := commit(ctx); err != nil {
		return nil, err
	}
	c.request(true)
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.out)))
	if err != nil {
		return nil, err
	}
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", c.addr
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	n := &news{Head: resp.Header}
	if n.Body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(n.Body, []byte(mark)) {
		return nil, fmt.Errorf("%s answered a live request with %s: %s", c.addr, resp.Status, n.Body)
	}
	n.Head.Del("Date") // which the server writes itself
	return n, nil
}
