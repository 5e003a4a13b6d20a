package runstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// notAsked are the store's methods that the machine does not call with arguments that
// it draws, and where it calls them all the same.
var notAsked = map[string]string{
	"In":         "inTransaction and locked make all their calls on what it gives",
	"OnPrimary":  "either makes every read on what it gives, too",
	"WithLocked": "locked calls it; what it is given is a function",
}

// askedMethods are the methods of the store that the machine calls.
func askedMethods() []string {
	var names []string
	store := reflect.TypeFor[*runstore.Store]()
	for i := range store.NumMethod() {
		if name := store.Method(i).Name; notAsked[name] == "" {
			names = append(names, name)
		}
	}
	return names
}

// TestModelKnowsEveryMethod: what the store can do, the naive one can do too, and the
// machine asks both for it. (For fields of a Filter, and for those of what a store is
// given, filter and fill fail that do not know one.)
func TestModelKnowsEveryMethod(t *testing.T) {
	store, model := reflect.TypeFor[*runstore.Store](), reflect.TypeFor[*naive]()
	for name := range notAsked {
		if _, ok := store.MethodByName(name); !ok {
			t.Errorf("%s is an exception, and no method of the store", name)
		}
	}
	for _, name := range askedMethods() {
		of, _ := store.MethodByName(name)
		is, ok := model.MethodByName(name)
		if !ok || strings.TrimPrefix(is.Type.String(), "func(*runstore_test.naive, ") != strings.TrimPrefix(of.Type.String(), "func(*runstore.Store, ") {
			t.Errorf("the naive store has to have the method %s, which is a %s", name, of.Type)
		}
	}
	if t.Failed() {
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range askedMethods() {
			of, _ := store.MethodByName(name)
			args := newMachine(fixture{clock: &clock{}, mint: runid.NewMinter(runid.MinterConfig{})}).args(t, name)
			if len(args) != of.Type.NumIn()-2 { // beside the receiver and the context
				t.Fatalf("%s is given %d arguments", name, len(args))
			}
			for i, arg := range args {
				if !reflect.TypeOf(arg).AssignableTo(of.Type.In(i + 2)) {
					t.Fatalf("%s is given a %T", name, arg)
				}
			}
		}
	})
}

// ask calls a method of both stores with arguments that it draws.
func (m *machine) ask(t *rapid.T, method string) error {
	_, err := m.call(t, method, m.args(t, method)...)
	return err
}

// call calls a method of both stores, compares what they say, and gives it. What there
// is after a write is for sameRows to compare.
func (m *machine) call(t *rapid.T, method string, args ...any) (any, error) {
	m.clock.tick()
	got, gotErr := invoke(m.ctx, m.store, method, args)
	want, wantErr := invoke(m.ctx, m.naive, method, args)
	if why := differ(gotErr, wantErr); why != "" {
		t.Fatalf("%s(%s): %s", method, shown(args), why)
	}
	if gotErr == nil {
		want = m.samePlaces(t, got, want)
		if got, want := plain(args, got), plain(args, want); !reflect.DeepEqual(got, want) {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s(%s) (-want +got):\n%s", method, shown(args), diff)
			}
		}
		if method == "FindByIdempotencyKeys" && !slices.IsSortedFunc(got.([]runstore.Run), v2First) {
			t.Fatalf("%s(%s): v2's are not first", method, shown(args))
		}
	}
	return got, gotErr
}

func invoke(ctx context.Context, store any, method string, args []any) (any, error) {
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, arg := range args {
		in = append(in, reflect.ValueOf(arg))
	}
	out := reflect.ValueOf(store).MethodByName(method).Call(in)
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// shown are arguments as one can read them.
func shown(args []any) string {
	var texts []string
	for _, arg := range args {
		switch arg.(type) {
		case runid.Friendly, []runid.Friendly: // whose fields nobody sees
			texts = append(texts, fmt.Sprint(arg))
		default:
			text, err := json.Marshal(arg)
			if err != nil {
				text = []byte(err.Error())
			}
			texts = append(texts, string(text))
		}
	}
	return strings.Join(texts, ", ")
}

// differ says in what an error is not the one that is wanted, or "".
func differ(got, want error) string {
	var invalid *runstore.InvalidError
	var span *runstore.SpanError
	var place *runstore.PlaceError
	var unique *runstore.UniqueError
	var taken alike
	var same bool
	switch {
	case want == nil:
		same = got == nil
	case errors.Is(want, runstore.ErrNotFound):
		same = errors.Is(got, runstore.ErrNotFound)
	case errors.As(want, &invalid):
		same = errors.As(got, &invalid)
	case errors.As(want, &span):
		same = errors.As(got, &span)
	case errors.As(want, &place):
		same = errors.As(got, &place)
	case errors.As(want, &taken):
		same = errors.As(got, &unique) && slices.Contains(taken, unique.Constraint) && unique.Unique == uniques[unique.Constraint]
	}
	if same {
		return ""
	}
	return fmt.Sprintf("the error is %v (%T), want %v (%T)", got, got, want, want)
}

// samePlaces compares where pages lead to, and gives the page that is wanted with the
// places of the one that was given. What those stand for is known from then on.
func (m *machine) samePlaces(t *rapid.T, got, want any) any {
	page, ok := got.(runstore.Page)
	if !ok {
		return want
	}
	wanted := want.(runstore.Page)
	for _, p := range [][2]*string{{&page.Next, &wanted.Next}, {&page.Previous, &wanted.Previous}} {
		is, want := p[0], p[1]
		if (*is == "") != (*want == "") {
			t.Fatalf("next is %q and previous %q, want %q and %q", page.Next, page.Previous, wanted.Next, wanted.Previous)
		}
		if *is == "" {
			continue
		}
		if _, ok := m.naive.places[*is]; !ok {
			*m.given = append(*m.given, *is)
		}
		m.naive.places[*is] = m.naive.places[*want]
		*want = *is
	}
	return wanted
}

// plain is what a method gave, sorted where it has no order, and nothing as none.
func plain(args []any, v any) any {
	switch v := v.(type) {
	case []runstore.Run:
		ordered := false
		if len(args) == 1 { // a query, or a batch
			q, isQuery := args[0].(runstore.Query)
			ordered = !isQuery || q.Order != runstore.Unordered
		}
		if !ordered {
			v = slices.SortedFunc(slices.Values(v), byID)
		}
		return append([]runstore.Run{}, v...)
	case runstore.Page:
		v.Runs = append([]runstore.Run{}, v.Runs...)
		return v
	case runstore.Family:
		v.Children = append([]runstore.Run{}, v.Children...)
		return v
	case []runstore.Child:
		return append([]runstore.Child{}, slices.SortedFunc(slices.Values(v), func(a, b runstore.Child) int { return strings.Compare(a.ID, b.ID) })...)
	case [2][]string:
		return [2][]string{append([]string{}, sorted(v[0])...), append([]string{}, sorted(v[1])...)}
	}
	return v
}
