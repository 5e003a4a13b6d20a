package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/realtime-gw/realtime-gw/internal/redisclient"
)

// entries is what the names of the buffer's entries begin with; a run's friendly
// id follows.
const entries = "mollifier:entries:"

// The scripts. A claim that is sent again because its answer was lost finds itself
// and is no conflict.
var (
	claim = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if value and value ~= ARGV[1] then
	return value
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
`)
	publish = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if value == ARGV[1] or value == ARGV[2] then
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	return 1
end
return 0
`)
	drop = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('DEL', KEYS[1])
end
return 0
`)
	// A name whose entry is gone would lead nowhere for ever.
	buffered = redis.NewScript(`
local run = redis.call('GET', KEYS[1])
if not run then
	return false
end
local snapshot = redis.call('HGET', ARGV[1] .. run, 'payload')
if not snapshot then
	redis.call('DEL', KEYS[1])
	return false
end
return {run, snapshot}
`)
	reset = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, string.len(ARGV[2])) ~= ARGV[2] then
	redis.call('DEL', KEYS[1])
end
local run = redis.call('GET', KEYS[2])
if not run then
	return 0
end
redis.call('DEL', KEYS[2])
local entry = ARGV[1] .. run
local snapshot = redis.call('HGET', entry, 'payload')
if not snapshot then
	return 0
end
local ok, fields = pcall(cjson.decode, snapshot)
if ok and type(fields) == 'table' then
	fields['idempotencyKey'] = cjson.null
	fields['idempotencyKeyExpiresAt'] = cjson.null
	redis.call('HSET', entry, 'payload', cjson.encode(fields))
end
redis.call('HSET', entry, 'idempotencyLookupKey', '')
return 1
`)
)

// RedisConfig says what a Redis works with.
type RedisConfig struct {
	// URL is where Redis is: redis://, rediss:// or unix://. Required. It may hold
	// a password, and is not repeated in errors.
	URL string

	// Wait bounds how long one question waits for Redis. Default 250 ms.
	Wait time.Duration
}

// Redis is Claims that instances share through Redis, and with the platform, whose
// names and values these are. Close it.
type Redis struct {
	client *redis.Client
	wait   time.Duration
}

var _ Claims = (*Redis)(nil)

// NewRedis makes a Redis. It asks nothing yet.
func NewRedis(c RedisConfig) (*Redis, error) {
	if c.Wait <= 0 {
		c.Wait = 250 * time.Millisecond
	}
	client, err := redisclient.New(c.URL, c.Wait)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return &Redis{client: client, wait: c.Wait}, nil
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }

// run runs a script, for as long as one may wait.
func (r *Redis) run(ctx context.Context, doing string, script *redis.Script, keys []string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	got, err := script.Run(ctx, r.client, keys, args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("claims: %s: %w", doing, err)
	}
	return got, nil
}

// Claim implements Claims.
func (r *Redis) Claim(ctx context.Context, slot Slot, owner string, ttl time.Duration) (Answer, error) {
	got, err := r.run(ctx, "claim a slot", claim, []string{slot.claim}, pending+owner, ttl.Milliseconds())
	if err != nil {
		return Answer{}, err
	}
	switch value, _ := got.(string); {
	case value == "":
		return Answer{State: Claimed}, nil
	case strings.HasPrefix(value, pending):
		return Answer{State: Pending}, nil
	default:
		return Answer{State: Resolved, Run: value}, nil
	}
}

// Publish implements Claims.
func (r *Redis) Publish(ctx context.Context, slot Slot, owner, run string, ttl time.Duration) (bool, error) {
	got, err := r.run(ctx, "publish a run", publish, []string{slot.claim}, pending+owner, run, ttl.Milliseconds())
	n, _ := got.(int64)
	return n == 1, err
}

// Release implements Claims.
func (r *Redis) Release(ctx context.Context, slot Slot, owner string) error {
	_, err := r.run(ctx, "release a slot", drop, []string{slot.claim}, pending+owner)
	return err
}

// Forget implements Claims.
func (r *Redis) Forget(ctx context.Context, slot Slot, run string) error {
	_, err := r.run(ctx, "forget a run", drop, []string{slot.claim}, run)
	return err
}

// Buffered implements Claims.
func (r *Redis) Buffered(ctx context.Context, slot Slot) (Buffered, bool, error) {
	if slot.lookup == "" {
		return Buffered{}, false, nil
	}
	got, err := r.run(ctx, "look into the trigger buffer", buffered, []string{slot.lookup}, entries)
	pair, _ := got.([]any)
	if err != nil || len(pair) != 2 {
		return Buffered{}, false, err
	}
	run, _ := pair[0].(string)
	snapshot, _ := pair[1].(string)
	var fields struct {
		IdempotencyKeyExpiresAt *time.Time `json:"idempotencyKeyExpiresAt"`
	}
	if json.Unmarshal([]byte(snapshot), &fields) != nil {
		fields.IdempotencyKeyExpiresAt = nil // the key holds until the buffer is emptied
	}
	return Buffered{Run: run, ExpiresAt: fields.IdempotencyKeyExpiresAt}, true, nil
}

// Reset implements Claims.
func (r *Redis) Reset(ctx context.Context, slot Slot) (bool, error) {
	got, err := r.run(ctx, "reset a key", reset, []string{slot.claim, slot.lookup}, entries, pending)
	n, _ := got.(int64)
	return n == 1, err
}
