package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// shapes starts an upstream with a replication slot of its own.
func (l *lab) shapes(ctx context.Context) (*child, error) {
	return l.launch(ctx, "shapes", []string{l.program, "shapes"}, l.databaseURL(), fmt.Sprintf("REALTIME_GW_SLOT=load_%d", l.launched))
}

// gateway starts the program as it runs in production, in front of upstreams.
func (l *lab) gateway(ctx context.Context, upstreams ...*child) (*child, error) {
	var origins []string
	for _, u := range upstreams {
		origins = append(origins, "http://"+u.addr)
	}
	return l.launch(ctx, "gateway", []string{l.program, "serve"}, l.databaseURL(),
		"ELECTRIC_ORIGIN_SHARDS="+strings.Join(origins, ","), "REALTIME_GW_CURSOR_KEYS="+l.key,
		fmt.Sprintf("REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS=%d", window.Milliseconds()))
}

// play starts this program in one of its parts.
func (l *lab) play(ctx context.Context, part string, env ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return l.launch(ctx, part, []string{self}, append(env, partVariable+"="+part)...)
}

func (l *lab) databaseURL() string { return "DATABASE_URL=" + l.postgres.URL("load") }
