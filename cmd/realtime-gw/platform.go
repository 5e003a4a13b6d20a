package main

import (
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// platform puts the platform's API together; nil if it is not wanted.
func (p parts) platform(store *runstore.Store, who *auth.Authenticator, directory auth.Directory) (http.Handler, error) {
	if !p.api {
		return nil, nil
	}
	service, err := trigger.New(trigger.Config{Store: store, Flags: p.flags, Claims: p.claims, Log: p.log})
	if err != nil {
		return nil, err
	}
	p.metrics.WatchClaims(service.Faults)
	return platform.New(platform.Config{Auth: who, Directory: directory, Store: store, Trigger: service, WorkerQueue: p.workers, Elsewhere: p.elsewhere})
}
