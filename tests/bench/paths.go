package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// viaGateway reads the feed of a tag.
func (st *stack) viaGateway(tag string) *reader {
	path := fmt.Sprintf("/realtime/v1/runs?tags=%s&createdAt=%dd", tag, window/(24*time.Hour))
	return newReader(st.gateway.addr, path, st.demo.APIKey)
}

// direct reads the shapes of the same feed from the upstream, one reader each:
// what a client has to do without the gateway. They are spelled as the gateway
// spells them, so that both read the same shapes; schema is that of an answer of
// the gateway and names the columns.
func (st *stack) direct(tag, schema string) ([2]*reader, error) {
	var readers [2]*reader
	var columns map[string]json.RawMessage
	if err := json.Unmarshal([]byte(schema), &columns); err != nil || len(columns) == 0 {
		return readers, fmt.Errorf("the gateway's electric-schema header names no columns: %q", schema)
	}
	bucket := int64(window / 24 / time.Second)
	floor := time.Now().Add(-window).Unix()
	floor -= floor % bucket
	for i, table := range [2]shapes.Table{shapes.LegacyTable, shapes.V2Table} {
		def := shapes.Define(table, slices.Collect(maps.Keys(columns)),
			shapes.Equal("runtimeEnvironmentId", st.demo.EnvironmentID),
			shapes.ContainsAll("runTags", []string{tag}),
			shapes.After("createdAt", time.Unix(floor, 0)))
		readers[i] = newReader(st.upstream.addr, "/v1/shape?"+def.Query(), "")
	}
	return readers, nil
}
