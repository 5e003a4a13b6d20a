package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// look is what a child's metrics say, by their names and labels.
type look map[string]float64

// look asks for the metrics.
func (c *child) look(ctx context.Context) (look, error) {
	body, err := fetch(ctx, "http://"+c.metrics+"/metrics")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	found := look{}
	in := bufio.NewScanner(body)
	for in.Scan() {
		name, value, _ := strings.Cut(in.Text(), "} ")
		if value != "" {
			name += "}"
		} else if name, value, _ = strings.Cut(in.Text(), " "); name == "#" {
			continue
		}
		if found[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("the metric %q of %s: %w", in.Text(), c.name, err)
		}
	}
	return found, in.Err()
}

// sum adds up the metrics of a name that have all of some labels, as they are written.
func (l look) sum(name string, labels ...string) (sum float64) {
next:
	for at, value := range l {
		if family, _, _ := strings.Cut(at, "{"); family != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(at, label) {
				continue next
			}
		}
		sum += value
	}
	return sum
}

func fetch(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return resp.Body, nil
}

// until returns when the metrics are as they should be.
func (c *child) until(ctx context.Context, what string, so func(look) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := c.look(ctx)
		if err == nil && so(now) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not come to %s: %w", c.name, what, context.Cause(ctx))
		}
	}
}

// holds returns when a child holds so many live requests.
func (c *child) holds(ctx context.Context, want int) error {
	return c.until(ctx, fmt.Sprint(want, " requests that are held"), func(now look) bool { return int(now["realtime_gw_held_polls"]) == want })
}

// memory is what a child's memory is used for.
type memory struct {
	heap, stacks int64 // after its garbage was collected
	rss          int64 // before
}

func (c *child) memory(ctx context.Context) (m memory, err error) {
	m.rss = resident(c.pid)
	for range 2 { // what the first one finds to be garbage the second one frees
		body, err := fetch(ctx, "http://"+c.metrics+"/debug/pprof/heap?gc=1")
		if err != nil {
			return m, err
		}
		_, err = io.Copy(io.Discard, body)
		_ = body.Close()
		if err != nil {
			return m, err
		}
	}
	now, err := c.look(ctx)
	m.heap, m.stacks = int64(now["go_memstats_heap_alloc_bytes"]), int64(now["go_memstats_stack_inuse_bytes"])
	return m, err
}

// quiet returns when processes do next to nothing any more.
func quiet(ctx context.Context, pids ...int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	busy := func() (sum time.Duration) {
		for _, pid := range pids {
			sum += ticks(pid)
		}
		return sum
	}
	// It counts by 10 ms, and those who wait cost a little. Twice in a row, because it may be the end of something.
	const tolerated = 10 * time.Millisecond
	for last, calm := busy(), 0; calm < 2; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it does not become quiet: %w", context.Cause(ctx))
		}
		if now := busy(); now-last <= tolerated {
			last, calm = now, calm+1
		} else {
			last, calm = now, 0
		}
	}
	return nil
}

// post tells a part something.
func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}
