package main

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

const (
	goodKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	sesame  = "opensesame" // stands in every setting that is secret
)

// serve starts on good settings alone. What is bad it names by its variable,
// before it takes a request, and it repeats no secret. check finds the same.
func TestServeRefusesBadSettings(t *testing.T) {
	database := pgtest.Database(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	wrong, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword(wrong.User.Username(), sesame)
	nowhere := "postgres://user:" + sesame + "@" + taken.Addr().String() + "/x?connect_timeout=1"

	good := map[string]string{
		"DATABASE_URL": database, "REALTIME_GW_CURSOR_KEYS": goodKey, "ELECTRIC_ORIGIN": "http://127.0.0.1:1", "REALTIME_GW_ADDR": "127.0.0.1:0", "ELECTRIC_SECRET": sesame,
	}
	for name, c := range map[string]struct {
		set   map[string]string
		names string
		says  string
	}{
		"no database":          {map[string]string{"DATABASE_URL": ""}, "DATABASE_URL", "not set"},
		"no URL":               {map[string]string{"DATABASE_URL": "postgres://u:" + sesame + "@%zz/"}, "DATABASE_URL", "not a Postgres connection URL"},
		"database down":        {map[string]string{"DATABASE_URL": strings.Replace(nowhere, taken.Addr().String(), "127.0.0.1:1", 1)}, "DATABASE_URL", "cannot be reached"},
		"wrong password":       {map[string]string{"DATABASE_URL": wrong.String()}, "DATABASE_URL", "cannot be reached"},
		"replica down":         {map[string]string{"DATABASE_READ_REPLICA_URL": strings.Replace(nowhere, taken.Addr().String(), "127.0.0.1:1", 1)}, "DATABASE_READ_REPLICA_URL", "cannot be reached"},
		"replica no URL":       {map[string]string{"DATABASE_READ_REPLICA_URL": "postgres://u:" + sesame + "@%zz/"}, "DATABASE_READ_REPLICA_URL", "not a Postgres"},
		"Redis no URL":         {map[string]string{"REDIS_URL": "u:" + sesame + "@redis:6379"}, "REDIS_URL", "redis://host:6379"},
		"Redis over HTTP":      {map[string]string{"REDIS_URL": "http://:" + sesame + "@redis"}, "REDIS_URL", "redis://host:6379"},
		"Redis no port":        {map[string]string{"REDIS_URL": "redis://:" + sesame + "@redis:port"}, "REDIS_URL", "redis://host:6379"},
		"a short admin token":  {map[string]string{"REALTIME_GW_ADMIN_TOKEN": sesame}, "REALTIME_GW_ADMIN_TOKEN", "openssl rand -hex 32"},
		"platform no URL":      {map[string]string{"PLATFORM_ORIGIN": "platform:3000"}, "PLATFORM_ORIGIN", "base URL"},
		"platform, a password": {map[string]string{"PLATFORM_ORIGIN": "http://u:" + sesame + "@platform"}, "PLATFORM_ORIGIN", "leave out user"},
		"API, no yes":          {map[string]string{"REALTIME_GW_PLATFORM_API": "banana"}, "REALTIME_GW_PLATFORM_API", "bool"},
		"no upstream":          {map[string]string{"ELECTRIC_ORIGIN": ""}, "ELECTRIC_ORIGIN", "REALTIME_GW_EMBEDDED=1"},
		"origin no URL":        {map[string]string{"ELECTRIC_ORIGIN": "electric:3000"}, "ELECTRIC_ORIGIN", "http"},
		"origin of a file":     {map[string]string{"ELECTRIC_ORIGIN": "file:///etc"}, "ELECTRIC_ORIGIN", "http"},
		"origin with password": {map[string]string{"ELECTRIC_ORIGIN": "http://u:" + sesame + "@electric"}, "ELECTRIC_ORIGIN", "password"},
		"origin with a query":  {map[string]string{"ELECTRIC_ORIGIN": "http://electric?secret=" + sesame}, "ELECTRIC_ORIGIN", "query"},
		"two upstreams":        {map[string]string{"REALTIME_GW_EMBEDDED": "1"}, "ELECTRIC_ORIGIN", "REALTIME_GW_EMBEDDED"},
		"embedded, no yes":     {map[string]string{"REALTIME_GW_EMBEDDED": "banana"}, "REALTIME_GW_EMBEDDED", "bool"},
		"origin and shards":    {map[string]string{"ELECTRIC_ORIGIN_SHARDS": "http://a,http://b"}, "ELECTRIC_ORIGIN_SHARDS", "unset one"},
		"shards and embedded":  {map[string]string{"ELECTRIC_ORIGIN": "", "REALTIME_GW_EMBEDDED": "1", "ELECTRIC_ORIGIN_SHARDS": "http://a,http://b"}, "ELECTRIC_ORIGIN_SHARDS", "REALTIME_GW_EMBEDDED"},
		"a shard no URL":       {map[string]string{"ELECTRIC_ORIGIN": "", "ELECTRIC_ORIGIN_SHARDS": "http://a,b"}, "ELECTRIC_ORIGIN_SHARDS", "number 2"},
		"a shard of nothing":   {map[string]string{"ELECTRIC_ORIGIN": "", "ELECTRIC_ORIGIN_SHARDS": "http://a,"}, "ELECTRIC_ORIGIN_SHARDS", "number 2"},
		"no key":               {map[string]string{"REALTIME_GW_CURSOR_KEYS": ""}, "REALTIME_GW_CURSOR_KEYS", "openssl"},
		"short key":            {map[string]string{"REALTIME_GW_CURSOR_KEYS": "0badcafe0badcafe"}, "REALTIME_GW_CURSOR_KEYS", "key 1"},
		"no hex":               {map[string]string{"REALTIME_GW_CURSOR_KEYS": goodKey + "," + strings.Repeat(sesame, 10)}, "REALTIME_GW_CURSOR_KEYS", "key 2"},
		"empty key":            {map[string]string{"REALTIME_GW_CURSOR_KEYS": goodKey + ","}, "REALTIME_GW_CURSOR_KEYS", "key 2"},
		"age of nothing":       {map[string]string{"REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS": "0"}, "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS", "60000"},
		"age below 0":          {map[string]string{"REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS": "-1"}, "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS", "60000"},
		"age no number":        {map[string]string{"REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS": "1d"}, "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS", "1d"},
		"age beyond time":      {map[string]string{"REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS": "9223372036854775807"}, "REALTIME_MAXIMUM_CREATED_AT_FILTER_AGE_IN_MS", "or less"},
		"limit of nobody":      {map[string]string{"REALTIME_CONCURRENCY_LIMIT": "0"}, "REALTIME_CONCURRENCY_LIMIT", "1 or more"},
		"limit no number":      {map[string]string{"REALTIME_CONCURRENCY_LIMIT": "many"}, "REALTIME_CONCURRENCY_LIMIT", "many"},
		"admits a word":        {map[string]string{"ELECTRIC_MAX_CONCURRENT_REQUESTS": "10000"}, "ELECTRIC_MAX_CONCURRENT_REQUESTS", "initial"},
		"admits something new": {map[string]string{"ELECTRIC_MAX_CONCURRENT_REQUESTS": `{"live":3}`}, "ELECTRIC_MAX_CONCURRENT_REQUESTS", "initial"},
		"admits nobody":        {map[string]string{"ELECTRIC_MAX_CONCURRENT_REQUESTS": `{"existing":0}`}, "ELECTRIC_MAX_CONCURRENT_REQUESTS", "less than two"},
		"no feeds":             {map[string]string{"REALTIME_GW_ENVIRONMENT_FEEDS": "0"}, "REALTIME_GW_ENVIRONMENT_FEEDS", "from 1 on"},
		"no calls":             {map[string]string{"REALTIME_GW_ENVIRONMENT_CALLS": "-1"}, "REALTIME_GW_ENVIRONMENT_CALLS", "from 1 on"},
		"no new feeds":         {map[string]string{"REALTIME_GW_ENVIRONMENT_NEW_FEEDS": "NaN"}, "REALTIME_GW_ENVIRONMENT_NEW_FEEDS", "from 1 on"},
		"drain below 0":        {map[string]string{"REALTIME_GW_DRAIN": "-1s"}, "REALTIME_GW_DRAIN", "25s"},
		"drain no time":        {map[string]string{"REALTIME_GW_DRAIN": "soon"}, "REALTIME_GW_DRAIN", "soon"},
		"list time below 0":    {map[string]string{"REALTIME_GW_LIST_TIME": "-1s"}, "REALTIME_GW_LIST_TIME", "10s"},
		"list time no time":    {map[string]string{"REALTIME_GW_LIST_TIME": "long"}, "REALTIME_GW_LIST_TIME", "long"},
		"address taken":        {map[string]string{"REALTIME_GW_ADDR": taken.Addr().String()}, "REALTIME_GW_ADDR", "in use"},
		"address no address":   {map[string]string{"REALTIME_GW_ADDR": "nonsense"}, "REALTIME_GW_ADDR", "nonsense"},
		"slot no name":         {map[string]string{"REALTIME_GW_EMBEDDED": "1", "ELECTRIC_ORIGIN": "", "REALTIME_GW_SLOT": "No Slot!"}, "REALTIME_GW_SLOT", "No Slot!"},
		"level no level":       {map[string]string{"REALTIME_GW_LOG_LEVEL": "loud"}, "REALTIME_GW_LOG_LEVEL", "debug"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var env []string
			for name, value := range good {
				if changed, ok := c.set[name]; ok {
					value = changed
				}
				env = append(env, name+"="+value)
			}
			for name, value := range c.set {
				if _, ok := good[name]; !ok {
					env = append(env, name+"="+value)
				}
			}
			p := run(t, env, "serve")
			code := p.wait()
			_, says, _ := strings.Cut(p.err.String(), "error: ")
			if code <= 0 || !strings.Contains(says, c.names) || !strings.Contains(says, c.says) {
				t.Errorf("ends with %d and %q, want %s and %q", code, says, c.names, c.says)
			}
			for _, secret := range []string{sesame, goodKey, "0badcafe"} {
				if strings.Contains(p.err.String()+p.out.String(), secret) {
					t.Errorf("repeats a secret: %s", p.err)
				}
			}
			if name != "address taken" { // as it is where the gateway runs already
				checkFinds(t, env, c.names, c.says)
			}
		})
	}
}

// The commands that only need a database say so too.
func TestCommandsNameTheirDatabase(t *testing.T) {
	for _, command := range []string{"migrate", "shapes"} {
		p := run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:0"}, command)
		if code := p.wait(); code == 0 || !strings.Contains(p.err.String(), "DATABASE_URL is not set") {
			t.Errorf("%s: %d %s", command, code, p.err)
		}
		p = run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:0", "DATABASE_URL=postgres://u:" + sesame + "@127.0.0.1:1/x"}, command)
		if code := p.wait(); code == 0 || strings.Contains(p.err.String(), sesame) {
			t.Errorf("%s: %d %s", command, code, p.err)
		}
	}
}
