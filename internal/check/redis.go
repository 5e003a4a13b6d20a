package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/limits"
)

// redisFacts are what became of taking a slot and giving it back.
type redisFacts struct {
	ping, count error // fit to be printed
}

// checkEnvironment is no environment's id. Its slot is given back at once.
const checkEnvironment = "realtime-gw-check"

// gatherRedis does what the gateway does: a Redis that answers a ping can still
// refuse to count, because it is a replica or because of what the user may do.
func gatherRedis(ctx context.Context, address string, patience time.Duration) (f redisFacts) {
	var log bytes.Buffer
	shared, err := limits.NewRedis(limits.RedisConfig{URL: address, Wait: patience, Log: zerolog.New(&log)})
	if err != nil {
		f.ping = errors.New("it is not the URL of a Redis")
		return f
	}
	secrets := []string{address}
	if u, err := url.Parse(address); err == nil {
		if password, ok := u.User.Password(); ok {
			secrets = append(secrets, password)
		}
	}
	if err := shared.Ping(ctx); err != nil {
		f.ping = concealed(err, secrets...)
	} else if release, ok := shared.Acquire(ctx, checkEnvironment, limits.DefaultLimit); ok {
		release()
	}
	if shared.Uncounted() > 0 {
		var said struct{ Error string }
		_ = json.Unmarshal(log.Bytes(), &said) // the limiter's own line
		f.count = concealed(errors.New(said.Error), secrets...)
	}
	_ = shared.Close(ctx) // what could not be given back expires
	return f
}

func judgeRedis(f redisFacts) Line {
	const name = "REDIS_URL"
	switch {
	case f.ping != nil:
		return wrong(name, "set REDIS_URL to redis://:password@host:6379 of a Redis that is running, or unset it: then each instance counts its own", "Redis cannot be asked: %s", f.ping)
	case f.count != nil:
		return wrong(name, "set REDIS_URL to a primary, and to a user who may run scripts on keys that begin with tr:realtime:concurrency:", "Redis does not count: %s", f.count)
	}
	return fine(name, "Redis counts")
}
