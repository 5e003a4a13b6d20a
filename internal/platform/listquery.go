package platform

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Bounds on a query.
const (
	maxQueryBytes = 10_000
	maxListed     = 100 // runs on a page, and values of one filter
	defaultListed = 20
)

// notBuiltFilters are right on the platform: one needs fingerprints of errors, which
// neither table has, and one is for lists of a whole project.
var notBuiltFilters = []string{"filter[error]", "filter[env]"}

// listQuery is the query of a list of runs, read.
type listQuery struct {
	runstore.Query
	batch *runid.Friendly // has to be found before it can be asked for
}

// parseList reads it. Parameters that it does not know are passed over, as they
// are on the platform; filters that it does not know are refused, since their
// answer would hold runs that were not asked for.
func parseList(raw string, now time.Time) (*listQuery, error) {
	if len(raw) > maxQueryBytes {
		return nil, queryError("", "the query is longer than "+strconv.Itoa(maxQueryBytes)+" bytes")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, queryError("", "the query has a malformed % escape, or a semicolon")
	}
	q := &listQuery{Query: runstore.Query{Order: runstore.NewestFirst, Limit: defaultListed}}
	for _, name := range slices.Sorted(keysOf(values)) {
		read, missing := parameters[name], slices.Contains(notBuiltFilters, name)
		if read == nil && !missing {
			if strings.HasPrefix(name, "filter[") {
				return nil, queryError(name, "is a filter that is not known here")
			}
			continue
		}
		if len(values[name]) > 1 {
			return nil, queryError(name, "is given more than once")
		}
		text := values[name][0]
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return nil, queryError(name, "holds a NUL character, or is not UTF-8")
		}
		if text == "" {
			continue // as good as absent
		}
		if missing {
			return nil, missingHere(name)
		}
		if problem := read(q, text, now); problem != "" {
			return nil, queryError(name, problem)
		}
	}
	if q.Before != "" {
		q.After = "" // an SDK that turns round sends both, and the platform takes this one
	}
	return q, nil
}

func keysOf(values url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range values {
			if !yield(name) {
				return
			}
		}
	}
}

// parameters read a parameter's value into a query, and say what is wrong with
// it, or nothing.
var parameters = map[string]func(q *listQuery, text string, now time.Time) (problem string){
	"page[size]": func(q *listQuery, text string, _ time.Time) string {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return "is not a number from 1 to 100"
		}
		q.Limit = n
		return ""
	},
	"page[after]":  func(q *listQuery, text string, _ time.Time) string { q.After = text; return "" },
	"page[before]": func(q *listQuery, text string, _ time.Time) string { q.Before = text; return "" },
	"filter[status]": func(q *listQuery, text string, _ time.Time) string {
		q.Filter.Statuses = []runstore.Status{}
		for word := range strings.SplitSeq(text, ",") {
			statuses := statusesOf(word)
			if statuses == nil {
				return "has a status that there is not"
			}
			q.Filter.Statuses = append(q.Filter.Statuses, statuses...)
		}
		return ""
	},
	"filter[taskIdentifier]": anyOf(func(f *runstore.Filter) *[]string { return &f.TaskIdentifiers }),
	"filter[version]":        anyOf(func(f *runstore.Filter) *[]string { return &f.Versions }),
	"filter[tag]":            anyOf(func(f *runstore.Filter) *[]string { return &f.AnyTag }),
	"filter[queue]":          anyOf(func(f *runstore.Filter) *[]string { return &f.Queues }),
	"filter[machine]":        anyOf(func(f *runstore.Filter) *[]string { return &f.MachinePresets }),
	"filter[region]":         anyOf(func(f *runstore.Filter) *[]string { return &f.Regions }),
	"filter[bulkAction]":     func(q *listQuery, text string, _ time.Time) string { q.Filter.BulkActionID = &text; return "" },
	"filter[schedule]":       func(q *listQuery, text string, _ time.Time) string { q.Filter.ScheduleID = &text; return "" },
	"filter[isTest]": func(q *listQuery, text string, _ time.Time) string {
		is := text == "true"
		if !is && text != "false" {
			return "is neither true nor false"
		}
		q.Filter.IsTest = &is
		return ""
	},
	"filter[batch]": func(q *listQuery, text string, _ time.Time) string {
		id, err := runid.ParseBatch(text)
		if err != nil {
			return "is not a batch's id: batch_ and letters and digits"
		}
		q.batch = &id
		return ""
	},
	"filter[createdAt][from]": func(q *listQuery, text string, _ time.Time) string {
		at, problem := parseTime(text)
		q.from(at)
		return problem
	},
	"filter[createdAt][to]": func(q *listQuery, text string, _ time.Time) string {
		at, problem := parseTime(text)
		q.Filter.CreatedBefore = at.Add(time.Millisecond) // the time itself is within
		return problem
	},
	"filter[createdAt][period]": func(q *listQuery, text string, now time.Time) string {
		period, ok := parsePeriod(text)
		if !ok {
			return "is not a duration such as 1d or 12h"
		}
		q.from(now.Add(-period))
		return ""
	},
}

// from begins the list at a time, or later if another parameter says so.
func (q *listQuery) from(at time.Time) {
	if at.After(q.Filter.CreatedFrom) {
		q.Filter.CreatedFrom = at
	}
}

// anyOf reads a filter of values that are joined by commas.
func anyOf(of func(*runstore.Filter) *[]string) func(*listQuery, string, time.Time) string {
	return func(q *listQuery, text string, _ time.Time) string {
		values := strings.Split(text, ",")
		if len(values) > maxListed {
			return "has more than 100 values"
		}
		*of(&q.Filter) = values
		return ""
	}
}
