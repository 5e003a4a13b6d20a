package electric

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// slowly answers after a while, from within a bubble.
type slowly func(ctx context.Context, r *http.Request) (after time.Duration, status int, body string)

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	after, status, body := s(r.Context(), r)
	select {
	case <-time.After(after):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	h := http.Header{"Content-Type": {"application/json"}, "Electric-Handle": {place.Handle}, "Electric-Offset": {"9_0"}, "Electric-Schema": {"{}"}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Electric holds a question about an offset that is out of bounds for 10 s, held
// poll or not. Whoever asks patiently hears of the rotation in the end, within the
// 30 s that a request of a client has, and not before it was said twice.
func TestALostOffsetIsARotationForThePatient(t *testing.T) {
	for name, live := range map[string]bool{"read": false, "held": true} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			transport := slowly(func(_ context.Context, r *http.Request) (time.Duration, int, string) {
				if r.URL.Path == "/v1/health" {
					return 0, 200, `{"status":"active"}`
				}
				asked++
				return 10 * time.Second, 400, `{"message":"Invalid request","errors":{"offset":["out of bounds for this shape"]}}`
			})
			client, err := New(Config{Origin: "http://electric:3000", Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			source, began := steady.New(steady.Config{Source: client}), time.Now()
			if live {
				_, err = source.Wait(ctx, def, place)
			} else {
				_, err = source.Read(ctx, def, place)
			}
			var rotated *shapes.Rotated
			if took := time.Since(began); !errors.As(err, &rotated) || asked != 2 || took != 23*time.Second { // 3 s lie between
				t.Errorf("%s: asked %d times in %s, %v", name, asked, took, err)
			}
		})
	}
}

// A read of which not even the head comes is given up, and asked again; the first of
// a shape, which may take long to make, is not.
func TestAReadWithoutAHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := true
		transport := slowly(func(context.Context, *http.Request) (time.Duration, int, string) {
			if silent {
				silent = false
				return time.Minute, 200, "[]"
			}
			return 0, 200, "[]"
		})
		client, err := New(Config{Origin: "http://electric:3000", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		page, err := steady.New(steady.Config{Source: client}).Read(t.Context(), def, place)
		if err != nil {
			t.Fatal(err)
		}
		_ = page.Close()
		if took := time.Since(start); took < 13*time.Second || took > 15*time.Second {
			t.Errorf("answered after %s", took)
		}
		silent, start = true, time.Now()
		page, err = client.Read(t.Context(), def, shapes.Position{})
		if err != nil || time.Since(start) != time.Minute {
			t.Fatalf("the first of a shape: %v after %s", err, time.Since(start))
		}
		_ = page.Close()
	})
}

// stuck is a body that does not come.
type stuck struct{ slowly }

func (s stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.slowly.RoundTrip(r)
	if err == nil {
		resp.Body, _ = io.Pipe()
	}
	return resp, err
}

// The text of a refusal is not waited for for ever, and without it nothing is known to be
// refused; nor is what Electric says of its health.
func TestARefusalWithoutItsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := stuck{func(context.Context, *http.Request) (time.Duration, int, string) { return 0, 400, "" }}
		client, err := New(Config{Origin: "http://electric:3000", Transport: transport, Idle: 7 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = client.Read(t.Context(), def, shapes.Position{})
		if _, silent := errors.AsType[*shapes.Unavailable](err); !silent || time.Since(began) != 7*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		out := errors.New("out of time")
		transport := transportFunc(func(r *http.Request) (*http.Response, error) {
			body, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(out) })
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
		})
		client, err := New(Config{Origin: "http://electric:3000", Transport: transport, Idle: 7 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if ok, _ := client.Healthy(t.Context()); ok || time.Since(began) != 7*time.Second {
			t.Errorf("after %s: %v", time.Since(began), ok)
		}
	})
}

// transportFunc is a http.RoundTripper.
type transportFunc func(r *http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip gives one byte a pause, for ever.
type drip struct {
	pause time.Duration
	ctx   context.Context
	given int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		d.given++
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (*drip) Close() error { return nil }

// A body that never ends is given up, however slowly it comes, and though it never
// stalls: nobody's memory or patience is spent on it without bound.
func TestBodiesThatDoNotEnd(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		most  bounds
		after time.Duration
		given int
	}{
		"drips":  {21 * time.Second, bounds{30 * time.Second, 5 * time.Minute, 1 << 30}, 5 * time.Minute, 14},
		"pours":  {0, bounds{30 * time.Second, 5 * time.Minute, 1000}, 0, 1000},
		"stalls": {40 * time.Second, bounds{30 * time.Second, 5 * time.Minute, 1000}, 30 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			d := &drip{pause: c.pause, ctx: ctx}
			b := newBoundedBody(d, c.most, cancel)
			start := time.Now()
			_, err := shapes.NewScanner(b).Next(1) // white space, which it would skip for ever
			endless := errors.Is(err, shapes.ErrEndless)
			if err == nil || endless != (name != "stalls") || time.Since(start) != c.after || d.given != c.given {
				t.Errorf("%s: %v after %s and %d bytes", name, err, time.Since(start), d.given)
			}
			_ = b.Close()
		})
	}
}

// An answer whose body was lost on the way says nothing, and not that there is
// nothing new: whoever believed it would go on behind rows that never came.
func TestAnEmptyBodyIsNotNothingNew(t *testing.T) {
	client := upstream(t, func(w http.ResponseWriter, _ *http.Request) { header(w, "123-456", "9_0") })
	if news, err := client.Wait(t.Context(), def, place); err == nil {
		t.Errorf("held: %+v", news)
	}
	page, err := client.Read(t.Context(), def, place)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	if _, err := page.Messages.Next(1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read: %v", err)
	}
}
