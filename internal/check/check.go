package check

import (
	"context"
	"sync"
	"time"
)

// Config says what to look at. What is empty is not looked at.
type Config struct {
	// DatabaseURL and ReplicaURL are the databases.
	DatabaseURL, ReplicaURL string
	// Origins are the Electrics that are to be asked.
	Origins []Origin
	// Secret is what they are asked with.
	Secret string
	// EmbeddedSlot is the replication slot of the embedded upstream, where that is
	// to be used instead of an Electric.
	EmbeddedSlot string
	// RedisURL is the Redis that counts live subscriptions.
	RedisURL string

	// Patience bounds each look. Default 10 s: Electric takes five to say that its
	// own database is away.
	Patience time.Duration
	// Now is this machine's clock. Default time.Now.
	Now func() time.Time
}

// Origin is one Electric, and the setting that names it.
type Origin struct{ Name, URL string }

// Run looks at everything at the same time, each within Config.Patience, and
// says all that it found, in an order that is always the same.
func Run(ctx context.Context, c Config) (lines []Line) {
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var (
		primary, replica databaseFacts
		origins          = make([]originFacts, len(c.Origins))
		shared           redisFacts
		looks            sync.WaitGroup
	)
	look := func(gather func(context.Context)) {
		looks.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, c.Patience)
			defer cancel()
			gather(ctx)
		})
	}
	if c.DatabaseURL != "" {
		look(func(ctx context.Context) { primary = gatherDatabase(ctx, c.DatabaseURL, c.Now) })
	}
	if c.ReplicaURL != "" {
		look(func(ctx context.Context) { replica = gatherDatabase(ctx, c.ReplicaURL, c.Now) })
	}
	for i, o := range c.Origins {
		look(func(ctx context.Context) { origins[i] = gatherOrigin(ctx, o, c.Secret, c.Now) })
	}
	if c.RedisURL != "" {
		look(func(ctx context.Context) { shared = gatherRedis(ctx, c.RedisURL, c.Patience) })
	}
	looks.Wait()

	if c.DatabaseURL != "" {
		lines = append(lines, judgeDatabase("DATABASE_URL", primary)...)
		lines = append(lines, judgePrimary(primary, c.EmbeddedSlot)...)
	}
	if c.ReplicaURL != "" {
		lines = append(lines, judgeDatabase("DATABASE_READ_REPLICA_URL", replica)...)
		lines = append(lines, judgeReplica(primary, replica)...)
	}
	for _, o := range origins {
		lines = append(lines, judgeOrigin(o, c.Secret != "", primary)...)
	}
	lines = append(lines, judgeFollowers(primary, origins)...)
	if c.RedisURL != "" {
		lines = append(lines, judgeRedis(shared))
	}
	return lines
}
