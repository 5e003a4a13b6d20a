package runstore_test

import (
	"encoding/json"
	"reflect"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// statuses are all there are.
var statuses = []runstore.Status{
	runstore.Pending, runstore.PendingVersion, runstore.Delayed, runstore.WaitingForDeploy, runstore.Dequeued, runstore.Executing, runstore.WaitingToResume,
	runstore.RetryingAfterFailure, runstore.Paused, runstore.Canceled, runstore.Interrupted, runstore.CompletedSuccessfully, runstore.CompletedWithErrors,
	runstore.SystemFailure, runstore.Crashed, runstore.Expired, runstore.TimedOut,
}

// below is a number from 0 and below n, each as likely as another. (rapid's own numbers
// are mostly small, so that of a long list it would rarely take the last.)
func below(t *rapid.T, what string, n int) int {
	return rapid.Custom(func(t *rapid.T) int {
		number := 0
		for range 10 {
			number *= 2
			if rapid.Bool().Draw(t, "bit") {
				number++
			}
		}
		return number % n
	}).Draw(t, what)
}

// between is a number from least to most.
func between(t *rapid.T, what string, least, most int) int {
	return least + below(t, what, most-least+1)
}

// rarely is true one time in eight.
func rarely(t *rapid.T, what string) bool { return below(t, what, 8) == 7 }

func oneOf[T any](t *rapid.T, what string, values ...T) T {
	return values[below(t, what, len(values))]
}

// maybe is one of some values, or half the time none.
func maybe[T any](t *rapid.T, what string, values ...T) *T {
	if rapid.Bool().Draw(t, "no "+what) {
		return nil
	}
	return ptr(oneOf(t, what, values...))
}

// several are up to most draws of the same.
func several[T any](t *rapid.T, what string, most int, draw func(t *rapid.T) T) []T {
	all := []T{}
	for range below(t, what, most+1) {
		all = append(all, draw(t))
	}
	return all
}

// someOf are some of several values, in any order, none twice.
func someOf[T any](t *rapid.T, what string, most int, values ...T) []T {
	return rapid.Permutation(values).Draw(t, what)[:below(t, what+"'s number", min(most, len(values))+1)]
}

// word is one of two, so that many rows have the same.
func word(t *rapid.T, what string) string { return oneOf(t, what, "x", "y") }

// moment is one of three times, or between it and the next that can be stored, on a
// clock anywhere.
func moment(t *rapid.T, what string) time.Time {
	m := at(between(t, what, 0, 2))
	if rarely(t, what+" between") {
		m = m.Add(400 * time.Microsecond)
	}
	if rarely(t, what+" elsewhere") {
		m = m.In(time.FixedZone("elsewhere", 2*60*60))
	}
	return m
}

// some is any value of a type, with every field drawn: what a caller gives a store.
func some[T any](t *rapid.T, what string) T {
	var v T
	fill(t, what, reflect.ValueOf(&v).Elem())
	return v
}

// fill draws a value. A type that it does not know fails, so that what is given to a
// store is drawn as soon as there is such a thing.
func fill(t *rapid.T, what string, v reflect.Value) {
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		if rapid.Bool().Draw(t, what+" is set") {
			*at = moment(t, what)
		}
		return
	case *json.RawMessage:
		*at = oneOf(t, what, nil, json.RawMessage(`{"a": 1}`), json.RawMessage(`"x"`))
		return
	case *runstore.Status:
		*at = oneOf(t, what, append([]runstore.Status{""}, statuses...)...)
		if rarely(t, what+" is none") {
			*at = "NONSENSE"
		}
		return
	case *runstore.BatchStatus:
		*at = oneOf(t, what, runstore.BatchPending, runstore.BatchProcessing, runstore.BatchCompleted, runstore.BatchPartialFailed, runstore.BatchAborted)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, what+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, what+" is set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, what, v.Elem())
		}
	case reflect.Slice:
		if n := between(t, what+"'s length", -1, 2); n >= 0 { // -1 for nil
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, what, v.Index(i))
			}
		}
	case reflect.String:
		v.SetString(oneOf(t, what, "x", "y", ""))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, what))
	case reflect.Int32:
		v.SetInt(int64(between(t, what, 0, 3)))
	case reflect.Float64:
		v.SetFloat(oneOf(t, what, 0, 0.25, 1.5))
	default:
		t.Fatalf("the model does not know how to draw %s, which is a %s", what, v.Type())
	}
}
