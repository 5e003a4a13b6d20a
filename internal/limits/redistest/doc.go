// Package redistest gives tests a real Redis: a redis-server of a test's own, with
// a password, with nothing in it and nothing kept, which can be stopped and killed.
//
//	s := redistest.Start(t)
//	shared, err := limits.NewRedis(limits.RedisConfig{URL: s.URL()})
package redistest
