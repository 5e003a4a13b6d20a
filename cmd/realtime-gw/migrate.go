package main

import (
	"context"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/schema"
)

type migrateCommand struct {
	DatabaseURL string `help:"The database. Required." env:"DATABASE_URL"`
	Demo        bool   `help:"Also make an organization with an environment to try things with, and print its secret key."`
}

// Run makes what is missing, and says what it did.
func (c *migrateCommand) Run(ctx context.Context, p *program) error {
	if c.DatabaseURL == "" {
		return errNoDatabase
	}
	pool, err := openPool(ctx, "DATABASE_URL", c.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	actions, err := schema.Migrate(ctx, pool)
	if err != nil {
		return err
	}
	for _, action := range actions {
		fmt.Fprintln(p.out, action)
	}
	if len(actions) == 0 {
		fmt.Fprintln(p.out, "nothing to do: the tables are as they should be")
	}
	if c.Demo {
		demo, err := schema.SeedDemo(ctx, pool)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "environment %s, key %s\n", demo.EnvironmentID, demo.APIKey)
	}
	return nil
}
