package check

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// originFacts are what an Electric answers.
type originFacts struct {
	name string
	url  string
	err  error // why it gave no answer; fit to be printed

	health  int    // status of /v1/health
	state   string // what stands in its body
	server  string // the electric-server header
	dated   bool
	clock   time.Duration // its Date, ahead of ours
	answers [2]shapeAnswer
	open    int // status of a request without the secret; 0: not asked
}

// shapeAnswer is the answer to a request for a shape of one of the run tables
// which no Electric can make, so that none is made.
type shapeAnswer struct {
	err    error
	status int
	fields map[string][]string // what a 400 complains of
}

// noColumn is in no table. Electric looks for the table first.
const noColumn = `"realtime-gw-check" = 1`

func gatherOrigin(ctx context.Context, o Origin, secret string, now func() time.Time) originFacts {
	f := originFacts{name: o.Name, url: strings.TrimRight(o.URL, "/")}
	base, err := url.Parse(strings.TrimSpace(o.URL))
	if err != nil {
		return f // the settings are looked at elsewhere
	}
	if base.Path == "" {
		base.Path = "/"
	}
	transport := electric.NewTransport()
	defer transport.CloseIdleConnections()
	a := asker{ctx, transport, base, secret}

	before := now()
	status, header, body, err := a.get("health", nil)
	if err != nil {
		f.err = err
		return f
	}
	f.health, f.server = status, header.Get("electric-server")
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		// A Date is cut to whole seconds.
		f.dated, f.clock = true, date.Add(time.Second/2).Sub(before.Add(now().Sub(before)/2))
	}
	var said struct{ Status string }
	if json.Unmarshal(body, &said) == nil && len(said.Status) <= 20 {
		f.state = said.Status
	}
	if f.health != http.StatusOK {
		return f // it answers for no shape, and takes its time to say so
	}
	for i, t := range runid.Tables() {
		f.answers[i] = a.shape(runTable(t), secret)
	}
	if secret != "" && f.answers[0].err == nil && f.answers[0].status != http.StatusUnauthorized {
		f.open = a.shape(runTable(runid.Legacy), "").status
	}
	return f
}

// asker asks one Electric. As the gateway itself does it follows no redirect and
// uses no proxy, and what goes wrong does not repeat the secret.
type asker struct {
	ctx       context.Context
	transport http.RoundTripper
	base      *url.URL
	secret    string
}

func (a asker) get(path string, query url.Values) (status int, header http.Header, body []byte, err error) {
	target := a.base.JoinPath("v1", path)
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(a.ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return 0, nil, nil, concealed(err, a.secret)
	}
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, concealed(err, a.secret)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return 0, nil, nil, concealed(err, a.secret)
	}
	return resp.StatusCode, resp.Header, body, nil
}

func (a asker) shape(table, secret string) (s shapeAnswer) {
	query := url.Values{"table": {table}, "offset": {"-1"}, "columns": {`"id"`}, "where": {noColumn}}
	if secret != "" {
		query.Set("secret", secret)
	}
	var body []byte
	if s.status, _, body, s.err = a.get("shape", query); s.err != nil {
		return s
	}
	var said struct{ Errors map[string][]string }
	if s.status == http.StatusBadRequest && json.Unmarshal(body, &said) == nil {
		s.fields = said.Errors
	}
	return s
}
