package limits

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/redisclient"
)

// The platform's protocol.
const (
	keyPrefix = "tr:realtime:concurrency:"
	slotLife  = 300 * time.Second
)

// acquire takes a slot. In this order, which is the platform's, it may be sent
// again when its answer was lost: the same member is added once.
var acquire = redis.NewScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if redis.call('ZCARD', KEYS[1]) <= tonumber(ARGV[5]) then
	return 1
end
redis.call('ZREM', KEYS[1], ARGV[1])
return 0
`)

// RedisConfig says what a Redis works with.
type RedisConfig struct {
	// URL is where Redis is: redis://, rediss:// or unix://. Required. It may
	// hold a password, and is not repeated in errors.
	URL string

	// Wait bounds how long a request waits for Redis before it goes on without.
	// Default 250 ms.
	Wait time.Duration

	// Now is the clock that slots are taken and expire by. Default time.Now.
	Now func() time.Time

	// Log gets the warnings.
	Log zerolog.Logger
}

// Redis is a Concurrency that is shared through Redis. Close it.
type Redis struct {
	config  RedisConfig
	client  *redis.Client
	returns *returns
	faults  faults
}

var _ Concurrency = (*Redis)(nil)

// CheckURL says whether a text can be RedisConfig.URL. The error does not repeat it.
func CheckURL(url string) error {
	if _, err := redis.ParseURL(url); err != nil { // which quotes the URL
		return errors.New("limits: not the URL of a Redis: give redis://host:6379, rediss:// for TLS, or unix:///path")
	}
	return nil
}

// NewRedis makes a Redis. It asks nothing yet: a Redis that is down is no reason
// not to start. The error is that of a URL that is none.
func NewRedis(c RedisConfig) (*Redis, error) {
	if c.Wait <= 0 {
		c.Wait = 250 * time.Millisecond
	}
	client, err := redisclient.New(c.URL, c.Wait)
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	c.URL = "" // so that no printed Redis holds a password
	if c.Now == nil {
		c.Now = time.Now
	}
	r := &Redis{config: c, client: client, faults: faults{now: c.Now, log: c.Log}}
	r.returns = newReturns(r.client, c.Now)
	return r, nil
}

// Ping asks Redis whether it is there, for as long as a request would.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.Wait)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("limits: ask Redis: %w", err)
	}
	return nil
}

// Acquire implements Concurrency. It waits for as long as RedisConfig.Wait.
func (r *Redis) Acquire(ctx context.Context, environmentID string, limit int) (release func(), ok bool) {
	now := r.config.Now()
	taken := slot{key: keyPrefix + environmentID, member: newMember(), expires: now.Add(slotLife)}
	waiting, cancel := context.WithTimeout(ctx, r.config.Wait)
	defer cancel()
	free, err := acquire.Run(waiting, r.client, []string{taken.key}, taken.member,
		now.UnixMilli(), now.Add(-slotLife).UnixMilli(), int(slotLife.Seconds()), limit).Bool()
	switch {
	case err == nil && !free:
		return nil, false
	case err == nil:
		r.faults.over()
	case ctx.Err() == nil: // else the client left, and Redis may be well
		r.faults.uncounted(err)
	}
	// After a fault too: the script may have run, and only its answer be lost.
	return sync.OnceFunc(func() { r.returns.add(taken) }), true
}

// Uncounted is how many requests went on without a slot because Redis did not
// answer.
func (r *Redis) Uncounted() uint64 { return r.faults.count() }

// Close gives back the slots that were released, for as long as ctx allows, and
// ends the connections. Acquire must not be called any more.
func (r *Redis) Close(ctx context.Context) error {
	return errors.Join(r.returns.close(ctx), r.client.Close())
}

// newMember is a random UUID (version 4), as the platform's members are.
func newMember() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
