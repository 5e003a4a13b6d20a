// Package redisclient makes clients of the Redis that REDIS_URL names, all in one
// way: a Redis that is down must not hold anybody up for longer than was agreed.
package redisclient

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// New makes a client whose calls wait for a connection for at most wait. It asks
// nothing yet. The error is that of a URL that is none, and does not repeat it: it
// may hold a password.
func New(url string, wait time.Duration) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil { // which quotes the URL
		return nil, errors.New("not the URL of a Redis: give redis://host:6379, rediss:// for TLS, or unix:///path")
	}
	options.ContextTimeoutEnabled = true // or a context bounds nothing but the wait for a connection
	options.DialTimeout = wait
	options.DialerRetries = 1
	options.DisableIdentity = true // what a Redis or a proxy before it may not know, and nobody needs
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}
