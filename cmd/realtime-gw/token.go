package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

type tokenCommand struct {
	Scope       []string      `help:"What the token may do, action:type[:id], such as read:tags:demo. Give one or more." required:"" sep:","`
	Expires     time.Duration `help:"How long it is good for." default:"15m"`
	SkipColumns []string      `help:"Columns that its holder does not get." sep:","`
	Environment string        `help:"The environment's id. Without it: that of dev on this machine."`
	DatabaseURL string        `help:"Where the environment is looked up; with --environment." env:"DATABASE_URL"`
	Dir         string        `help:"State directory of dev." default:".realtime-gw" type:"path"`
}

// Run prints a token.
func (c *tokenCommand) Run(ctx context.Context, p *program) error {
	id, key, err := c.signer(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	token, err := auth.Sign(key, auth.Token{
		EnvironmentID: id, Scopes: c.Scope, SkipColumns: c.SkipColumns, IssuedAt: now, Expires: now.Add(c.Expires),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, token)
	return nil
}

// signer finds whose token it is and the key to sign with.
func (c *tokenCommand) signer(ctx context.Context) (string, auth.Key, error) {
	if c.Environment == "" {
		state, err := readDevState(c.Dir)
		if err != nil {
			return "", "", fmt.Errorf("no --environment, and no dev to take it from: %w", err)
		}
		return state.EnvironmentID, auth.Key(state.APIKey), nil
	}
	if c.DatabaseURL == "" {
		return "", "", errors.New("--environment needs DATABASE_URL, to look up the key that signs for it")
	}
	pool, err := openPool(ctx, "DATABASE_URL", c.DatabaseURL)
	if err != nil {
		return "", "", err
	}
	defer pool.Close()
	entry, err := auth.NewPostgresDirectory(pool).EnvironmentByID(ctx, c.Environment)
	if errors.Is(err, auth.ErrUnknown) {
		return "", "", fmt.Errorf("there is no environment with the id %q: it is the id column of \"RuntimeEnvironment\"", c.Environment)
	}
	if err != nil {
		return "", "", err
	}
	if len(entry.SigningKeys) > 0 {
		return entry.Environment.ID, entry.SigningKeys[0], nil
	}
	return entry.Environment.ID, entry.Key, nil
}
