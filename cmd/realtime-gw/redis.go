package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/limits"
)

// openRedis gives the limiter that is shared through REDIS_URL. One that does
// not answer is no reason not to serve, and is said here: until it answers, no
// limit holds.
func openRedis(ctx context.Context, url string, log zerolog.Logger) (*limits.Redis, error) {
	redis.SetLogger(redisLog{log})
	shared, err := limits.NewRedis(limits.RedisConfig{URL: url, Log: log})
	if err != nil {
		return nil, errors.New("REDIS_URL is not the URL of a Redis: give redis://host:6379, rediss:// for TLS, or unix:///path")
	}
	if err := shared.Ping(ctx); err != nil {
		log.Warn().Err(err).Msg("REDIS_URL cannot be reached: until it can, live requests are let in uncounted")
	}
	return shared, nil
}

// closeRedis gives back the slots of the requests that have just ended.
func closeRedis(shared *limits.Redis, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := shared.Close(ctx); err != nil {
		log.Warn().Err(err).Msg("closing Redis")
	}
}

// redisLog takes what the client library says of its connections, which by
// itself goes to standard error as plain text. What matters of it the limiter
// says too.
type redisLog struct{ log zerolog.Logger }

// Printf implements the library's interface of a logger.
func (l redisLog) Printf(_ context.Context, format string, v ...any) {
	l.log.Debug().Msg(fmt.Sprintf(format, v...))
}
