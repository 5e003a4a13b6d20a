package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// asked counts what is done for a call, by the ids that it is done with.
type asked struct {
	calls[string]
	t    *testing.T
	n    int
	made map[string]int
	now  time.Time
}

func newAsked(t *testing.T) *asked {
	return &asked{t: t, made: map[string]int{}, now: time.Unix(1_750_000_000, 0)}
}

// try is a try of a call that comes to an error, or to its id.
func (a *asked) try(name string, comes error) (string, error) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set(attemptHeader, name)
	mint := func() string { a.n++; return fmt.Sprint(name, "-", a.n) }
	return a.do(r, a.now, "", mint, func(_ context.Context, id string) (string, error) {
		a.made[id]++
		return id, comes
	})
}

// A call that was refused is forgotten at once, one of which it is not known what it
// came to keeps its id, and one that was made is not made again, for as long as SDKs try.
func TestCallsAreRemembered(t *testing.T) {
	a := newAsked(t)
	for i := range 1000 {
		if _, err := a.try(fmt.Sprint("refused ", i), trigger.ErrTokenUsed); !errors.Is(err, trigger.ErrTokenUsed) {
			t.Fatal(err)
		}
	}
	if len(a.of)+a.old.Len() != 0 {
		t.Errorf("%d calls that were refused are remembered, %d in order", len(a.of), a.old.Len())
	}
	first, _ := a.try("doubt", errors.New("the connection broke"))
	second, err := a.try("doubt", nil)
	third, _ := a.try("doubt", nil)
	if err != nil || first != second || second != third || a.made[first] != 2 {
		t.Errorf("%q, %q, %q, %v: %v", first, second, third, err, a.made)
	}
	a.now = a.now.Add(callLife)
	if again, _ := a.try("doubt", nil); again != first {
		t.Error("it is forgotten too early")
	}
	a.now = a.now.Add(time.Second)
	if again, _ := a.try("doubt", nil); again == first || len(a.of) != 1 || a.old.Len() != 1 {
		t.Errorf("it is not forgotten: %q, %d calls, %d in order", again, len(a.of), a.old.Len())
	}
}

// The oldest make room for others, but for those that a try is at work for.
func TestCallsMakeRoom(t *testing.T) {
	a := newAsked(t)
	at, goOn := make(chan struct{}), make(chan struct{})
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set(attemptHeader, "slow")
	made := 0
	slow := func() (string, error) {
		return a.do(r, a.now, "", func() string { return "id" }, func(context.Context, string) (string, error) {
			made++
			close(at)
			<-goOn
			return "slow", nil
		})
	}
	var trying sync.WaitGroup
	trying.Go(func() { _, _ = slow() })
	<-at
	first, _ := a.try("first", nil)
	for i := range maxCalls {
		_, _ = a.try(fmt.Sprint(i), nil)
	}
	if len(a.of) != maxCalls || a.old.Len() != maxCalls {
		t.Errorf("%d calls, %d in order", len(a.of), a.old.Len())
	}
	if again, _ := a.try("first", nil); again == first {
		t.Error("the first has made no room")
	}
	trying.Go(func() { _, _ = slow() })
	close(goOn)
	trying.Wait()
	if made != 1 {
		t.Errorf("a call that was at work was made %d times", made)
	}
}
