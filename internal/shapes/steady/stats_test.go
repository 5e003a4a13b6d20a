package steady

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// Stats says what fails now and how often was asked again, and is well when all is.
func TestStats(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		if got := s.Stats(); got != (Stats{}) {
			t.Errorf("at first %+v", got)
		}
		u.set(down)
		ctx, leave := context.WithTimeout(t.Context(), 20*time.Second)
		defer leave()
		for _, name := range []string{"a", "b", "c"} {
			go func() {
				if page, err := s.Read(ctx, define(name), here); err == nil {
					_, _ = page.Messages.Next(1)
					_ = page.Close()
				}
			}()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got, calls := s.Stats(), u.count(); !got.Open || got.Failing != 3 || got.Retries != uint64(calls) {
			t.Errorf("failing, %+v after %d calls, each of which is made again", got, calls)
		}
		u.set(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := s.Stats(); got.Open || got.Failing != 0 || got.Retries == 0 {
			t.Errorf("well again, %+v", got)
		}
	})
}

// Shapes that nobody comes back to do not count for ever as failing.
func TestStatsForget(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, _ *bytes.Buffer) {
		u.set(down)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, _ = s.Read(ctx, define("a"), here)
		if got := s.Stats(); got.Failing != 1 {
			t.Errorf("%+v", got)
		}
		time.Sleep(2 * forgotten)
		if got := s.Stats(); got.Failing != 0 {
			t.Errorf("after two minutes %+v", got)
		}
	})
}

// A failure that a request met is logged under the request's id; one of a call that is
// made for many has none.
func TestFailuresAreLoggedWithTheirRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, u *upstream, s *Source, log *bytes.Buffer) {
		u.set(down)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		var own bytes.Buffer
		request := zerolog.New(&own).With().Str("request_id", "r-1").Logger()
		_, _ = s.Read(request.WithContext(ctx), define("a"), here)
		if text := own.String(); !strings.Contains(text, `"request_id":"r-1"`) || !strings.Contains(text, "a call to the upstream failed") {
			t.Errorf("the request's log says %q", text)
		}
		if strings.Contains(log.String(), "a call") {
			t.Errorf("the upstream's log says %q", log)
		}
		ctx, leave = context.WithTimeout(t.Context(), 10*time.Second)
		defer leave()
		_, _ = s.Wait(ctx, define("b"), here)
		if !strings.Contains(log.String(), "a call to the upstream failed") {
			t.Errorf("the upstream's log says %q", log)
		}
	})
}
