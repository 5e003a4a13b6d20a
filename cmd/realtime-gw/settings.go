package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/check"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/replication"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// badSetting is a setting with which serve cannot start. serve says the first
// one, check says all. It repeats no value that may be secret.
type badSetting struct{ name, says, mend string }

func (b badSetting) Error() string { return b.name + b.says + ": " + b.mend }

// setAside takes those variables out of the environment whose values are not of
// their setting's type, so that all others can be read, too.
func setAside(app *kong.Application) (unread []badSetting) {
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error { // which returns no error
		if flag, ok := node.(*kong.Flag); ok && len(flag.Envs) > 0 {
			if err := flag.Reset(); err != nil {
				says, _, _ := strings.Cut(err.Error(), " (from envar ")
				says = strings.TrimPrefix(says, "--"+flag.Name)
				unread = append(unread, badSetting{flag.Envs[0], " cannot be read: " + strings.TrimPrefix(says, ": "), "give it another value, or unset it"})
				_ = os.Unsetenv(flag.Envs[0]) // it has a name, so it goes
			}
		}
		return next(nil)
	})
	return unread
}

// maxAgeMs is the longest time.Duration, in milliseconds.
const maxAgeMs = int64(math.MaxInt64 / time.Millisecond)

// settings gives the cursor keys, and all that is wrong with what was set, in the
// order in which it is to be mended. It starts nothing and asks nobody.
func (c *serveCommand) settings() (keys [][]byte, bad []badSetting) {
	refuse := func(name, mend, says string, args ...any) {
		bad = append(bad, badSetting{name, fmt.Sprintf(says, args...), mend})
	}
	c.checkDatabases(refuse)
	if c.CursorKeys == "" {
		refuse("REALTIME_GW_CURSOR_KEYS", makeKey, " is not set")
	} else {
		keys = parseKeys(c.CursorKeys, refuse)
	}
	c.checkUpstream(refuse)
	if c.Platform != "" {
		if _, err := platform.Elsewhere(c.Platform); err != nil {
			says, mend, _ := strings.Cut(err.Error(), ": ")
			refuse("PLATFORM_ORIGIN", mend, " %s", says)
		}
	}
	const age = "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS"
	switch {
	case c.MaxAgeMs < time.Minute.Milliseconds():
		refuse(age, "give a minute, 60000, or more", " is %d", c.MaxAgeMs)
	case c.MaxAgeMs > maxAgeMs:
		refuse(age, fmt.Sprintf("give %d or less", maxAgeMs), " is %d", c.MaxAgeMs)
	}
	if c.Drain < 0 {
		refuse("REALTIME_GW_DRAIN", "give a time such as 25s, or 0s to end at once", " is %s", c.Drain)
	}
	if c.ListTime < 0 {
		refuse("REALTIME_GW_LIST_TIME", "give a time such as 10s, or 0s for no bound of its own", " is %s", c.ListTime)
	}
	c.checkAdmin(refuse)
	if c.Limit < 1 {
		refuse("REALTIME_CONCURRENCY_LIMIT", "give 1 or more", " is %d", c.Limit)
	}
	for _, each := range []struct {
		name string
		n    float64
	}{{"FEEDS", float64(c.EachFeeds)}, {"CALLS", float64(c.EachCalls)}, {"NEW_FEEDS", c.EachNew}} {
		if !(each.n >= 1 && each.n < math.MaxInt32) {
			refuse("REALTIME_GW_ENVIRONMENT_"+each.name, "give a number from 1 on", " is %v", each.n)
		}
	}
	const address = "give an address of this machine, such as :3030"
	if c.Addr == "" {
		refuse("REALTIME_GW_ADDR", address, " is empty, and any port would be taken")
	} else if _, port, err := net.SplitHostPort(c.Addr); err != nil {
		refuse("REALTIME_GW_ADDR", address, ": %v", err)
	} else if _, err := net.LookupPort("tcp", port); err != nil { // which knows by itself
		refuse("REALTIME_GW_ADDR", address, ": %v", err)
	}
	return keys, bad
}

// refuser notes a setting that is bad, and what mends it.
type refuser func(name, mend, says string, args ...any)

func (c *serveCommand) checkDatabases(refuse refuser) {
	const mend = "give a postgres:// URL; a % in a password is written %25"
	if c.DatabaseURL == "" {
		refuse("DATABASE_URL", "give the postgres:// URL of the platform's database", " is not set")
	} else if _, err := pgxpool.ParseConfig(c.DatabaseURL); err != nil { // the cause may hold the password
		refuse("DATABASE_URL", mend, " is not a Postgres connection URL")
	}
	if c.ReplicaURL != "" {
		if _, err := pgxpool.ParseConfig(c.ReplicaURL); err != nil {
			refuse("DATABASE_READ_REPLICA_URL", mend, " is not a Postgres connection URL")
		}
	}
	if c.RedisURL != "" && limits.CheckURL(c.RedisURL) != nil {
		refuse("REDIS_URL", "give redis://host:6379, rediss:// for TLS, or unix:///path", " is not the URL of a Redis")
	}
}

func (c *serveCommand) checkUpstream(refuse refuser) {
	const unset = "unset one of them"
	if c.Origin != "" && c.OriginShards != "" {
		refuse("ELECTRIC_ORIGIN", unset, " and ELECTRIC_ORIGIN_SHARDS are both set")
	}
	if c.Embedded && c.Origin+c.OriginShards != "" {
		refuse("REALTIME_GW_EMBEDDED", unset, " and ELECTRIC_ORIGIN or ELECTRIC_ORIGIN_SHARDS are both set")
	}
	if !c.Embedded && c.Origin+c.OriginShards == "" {
		refuse("ELECTRIC_ORIGIN", "give Electric's base URL, or REALTIME_GW_EMBEDDED=1 on a single machine", " is not set")
	}
	if _, err := parseAdmitted(c.Admitted); err != nil {
		refuse("ELECTRIC_MAX_CONCURRENT_REQUESTS", "give Electric's own value, or unset it", " %v", err)
	}
	for _, o := range c.origins() {
		if _, err := electric.New(electric.Config{Origin: o.URL}); err != nil {
			says, mend, _ := strings.Cut(err.Error(), ": ")
			refuse(o.Name, mend, ": %s", says)
		}
	}
	if c.Embedded && !replication.ValidSlot(c.Slot) {
		refuse("REALTIME_GW_SLOT", "use lower case letters, digits and underscores, at most 63", " is %q", c.Slot)
	}
}

// origins are the Electrics that are to be asked.
func (c *serveCommand) origins() (all []check.Origin) {
	name, list := "ELECTRIC_ORIGIN", c.Origin
	if c.OriginShards != "" {
		name, list = "ELECTRIC_ORIGIN_SHARDS", c.OriginShards
	}
	if list == "" {
		return nil
	}
	if name == "ELECTRIC_ORIGIN" {
		return []check.Origin{{Name: name, URL: strings.TrimSpace(list)}}
	}
	for i, origin := range strings.Split(list, ",") {
		all = append(all, check.Origin{Name: fmt.Sprintf("%s, number %d", name, i+1), URL: strings.TrimSpace(origin)})
	}
	return all
}

var makeKey = fmt.Sprintf("make a key with openssl rand -hex %d", cursor.MinKey)

// parseKeys reads REALTIME_GW_CURSOR_KEYS, and refuses without repeating a key.
func parseKeys(list string, refuse refuser) (keys [][]byte) {
	for i, text := range strings.Split(list, ",") {
		key, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) < cursor.MinKey {
			refuse("REALTIME_GW_CURSOR_KEYS", makeKey, ": key %d is not %d bytes or more in hex", i+1, cursor.MinKey)
		}
		keys = append(keys, key)
	}
	return keys
}
