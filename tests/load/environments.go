package main

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// environment is one of the platform's, with its secret key.
type environment struct{ id, key string }

// environments makes n.
func (l *lab) environments(ctx context.Context, n int) ([]environment, error) {
	mint := runid.NewMinter(runid.MinterConfig{})
	made := make([]environment, n)
	for i := range made {
		made[i] = environment{mint.Mint(runid.Legacy), "tr_dev_" + strings.ToLower(crand.Text())}
		short := strings.ToLower(crand.Text())
		_, err := l.pool.Exec(ctx, `
			INSERT INTO public."RuntimeEnvironment" (id, slug, "apiKey", "pkApiKey", type, shortcode, "organizationId", "projectId")
			VALUES ($1, $2, $3, $4, 'DEVELOPMENT', $5, $6, $7)`,
			made[i].id, "load-"+short, made[i].key, "pk_dev_"+short, short[:8], l.demo.OrganizationID, l.demo.ProjectID)
		if err != nil {
			return nil, fmt.Errorf("make an environment: %w", err)
		}
	}
	return made, nil
}

// run is one that a client follows.
type run struct {
	table runid.Table
	id    string
	owner environment
}

// spread makes n runs and shares them among environments, each of which has its runs in one
// table, in turn. They are in no order: an environment may not begin all of its own at the
// same moment.
func (l *lab) spread(ctx context.Context, n int, owners []environment) ([]run, error) {
	var runs []run
	for i, owner := range owners {
		table := sides[i%len(sides)]
		share := (n - len(runs)) / (len(owners) - i)
		ids, err := l.addRuns(ctx, table, owner.id, "many", share)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			runs = append(runs, run{table, id, owner})
		}
	}
	if err := l.vacuum(ctx); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	return runs, nil
}

// run is the run's feed at a gateway.
func (r run) at(gateway *child) target {
	return target{gateway.addr, "/realtime/v1/runs/" + runid.FormatRun(r.id) + "?", r.owner.key}
}
