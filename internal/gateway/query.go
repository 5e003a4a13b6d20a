package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds on what is read. Shape clients send about ten parameters, and their
// handles have about 140 characters; the rest is room for tags. Electric's own
// bound on a request line is 10,000 bytes as well.
const (
	maxQueryBytes  = 10_000 // beyond: 414
	maxQueryParams = 64     // known and unknown; beyond: 400
)

// feedKind is which feed a query is for: it decides the parameters known.
type feedKind uint8

const (
	runFeed feedKind = iota
	tagFeed
	batchFeed
)

// clientParams are the parameters of Electric's clients, on every feed.
var clientParams = []string{
	"offset", "handle", "live", "cursor", "log", "live_sse", "experimental_live_sse",
	"expired_handle", "cache-buster", "shape_id",
}

// feedParams are the parameters of each feed beside clientParams.
var feedParams = map[feedKind][]string{
	runFeed:   {"skipColumns"},
	tagFeed:   {"skipColumns", "tags", "createdAt"},
	batchFeed: {"skipColumns"},
}

// feedQuery is the query of a feed, read. Handle, Offset and the other strings
// of the shape client stand as sent: they are opaque, and what is wrong with
// them is for the cursor to say. An empty one is the same as an absent one, as
// it is for every client.
type feedQuery struct {
	Offset        string // "-1" starts
	Handle        string // also from shape_id, its name in client 0.6.3
	ExpiredHandle string // the last handle of this URL that got a 409
	Cursor        string // of the last live answer
	Live          bool   // wait for news
	SSE           bool   // as a stream of events; only with Live

	// Tags must all be on a run; nil for every run. As sent: neither sorted nor
	// free of repetition. Tag feeds only.
	Tags []string

	// CreatedWithin is how far back a tag feed reaches; nil when the request
	// does not say, or says it in a form that is not a duration.
	CreatedWithin *time.Duration

	// SkipColumns are columns that the client can do without.
	SkipColumns []string
}

// parseQuery reads the query of a feed, as it stands in the URL. It is strict
// where two readers could differ (a parameter given twice, a bad escape, a
// semicolon), and refuses by name what no feed serves. Parameters it does not
// know are ignored: an answer of 400 ends a subscription for good, and clients
// grow parameters. The error is a *problem.
func parseQuery(kind feedKind, raw string) (*feedQuery, error) {
	params, err := splitQuery(kind, raw)
	if err != nil {
		return nil, err
	}
	if err := params.unsupported(); err != nil {
		return nil, err
	}
	q := &feedQuery{
		Offset:        params["offset"],
		Handle:        params["handle"],
		ExpiredHandle: params["expired_handle"],
		Cursor:        params["cursor"],
		Live:          params.truthy("live"),
		SSE:           params.truthy("experimental_live_sse"),
	}
	if _, given := params["live_sse"]; given { // wins when both are given, as in Electric
		q.SSE = params.truthy("live_sse")
	}
	if q.SSE && !q.Live {
		return nil, queryError(wrong("live_sse", "needs live=true"))
	}
	if old := params["shape_id"]; old != "" {
		if q.Handle != "" {
			return nil, queryError(wrong("shape_id", "is the old name of handle: give one of them"))
		}
		q.Handle = old
	}
	if q.Tags, err = parseTags(params["tags"]); err != nil {
		return nil, err
	}
	if within, ok := parseDuration(params["createdAt"]); ok {
		q.CreatedWithin = &within
	}
	for column := range strings.SplitSeq(params["skipColumns"], ",") {
		if column != "" {
			q.SkipColumns = append(q.SkipColumns, column)
		}
	}
	return q, nil
}

// queryParams are the known parameters that a query gives, decoded.
type queryParams map[string]string

// splitQuery finds the known parameters. It reads the text itself because
// net/url keeps silent about what it drops.
func splitQuery(kind feedKind, raw string) (queryParams, error) {
	if len(raw) > maxQueryBytes {
		p := queryError(wrongWhole(fmt.Sprintf("the query is longer than %d bytes: give fewer or shorter parameters, mostly tags", maxQueryBytes)))
		p.status = http.StatusRequestURITooLong
		return nil, p
	}
	if strings.Contains(raw, ";") {
		return nil, queryError(wrongWhole("a semicolon must be escaped"))
	}
	params, count := queryParams{}, 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxQueryParams {
			return nil, queryError(wrongWhole(fmt.Sprintf("more than %d parameters", maxQueryParams)))
		}
		left, right, _ := strings.Cut(pair, "=")
		name, badName := url.QueryUnescape(left)
		value, badValue := url.QueryUnescape(right)
		if badName != nil || badValue != nil {
			return nil, queryError(wrongWhole("a malformed % escape"))
		}
		if strings.HasPrefix(name, "subset__") {
			return nil, queryError(wrongWhole("subset__ parameters are not supported"))
		}
		if !slices.Contains(clientParams, name) && !slices.Contains(feedParams[kind], name) {
			continue
		}
		if _, twice := params[name]; twice {
			return nil, queryError(wrong(name, "is given more than once"))
		}
		if !utf8.ValidString(value) {
			return nil, queryError(wrong(name, "is not UTF-8"))
		}
		params[name] = value
	}
	return params, nil
}

// unsupported refuses what Electric has and no feed here serves. To ignore it
// would hand out rows that the client believes it did not ask for.
func (p queryParams) unsupported() error {
	if p["offset"] == "now" {
		return queryError(wrong("offset", "now is not supported: start at -1"))
	}
	switch p["log"] {
	case "", "full":
		return nil
	case "changes_only":
		return queryError(wrong("log", "changes_only is not supported: leave it out, or send full"))
	default:
		return queryError(wrong("log", "must be full"))
	}
}

// truthy reads a flag as Electric's server does: everything but "false" is
// true, also a name without a value.
func (p queryParams) truthy(name string) bool {
	value, given := p[name]
	return given && value != "false"
}

// parseTags splits a tag filter. No text is no filter, as it is for the
// platform. A tag that could not be written in the literals that the platform
// makes of tags is refused there, and so here.
func parseTags(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	tags := strings.Split(text, ",")
	for _, tag := range tags {
		if tag == "" {
			return nil, queryError(wrong("tags", "a tag is empty"))
		}
		if strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '"' }) {
			return nil, queryError(wrong("tags", `a tag holds a control character, \ or "`))
		}
	}
	return tags, nil
}
