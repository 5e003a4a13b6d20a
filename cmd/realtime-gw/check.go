package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/check"
)

// checkCommand has the settings of serve, and starts nothing.
type checkCommand struct {
	Settings serveCommand  `embed:""`
	Patience time.Duration `help:"How long each part may take to answer." default:"10s"`
}

var errMend = errors.New("this configuration will not work")

// Run prints what it finds: a line each, and another one below for what mends it.
func (c *checkCommand) Run(ctx context.Context, p *program) error {
	redis.SetLogger(redisLog{zerolog.Nop()}) // what it says, a line says too
	s := &c.Settings
	_, bad := s.settings()
	bad = append(p.unread, bad...)
	lines := append(settingLines(bad), check.Run(ctx, c.toAsk(bad))...)
	count := printLines(p.out, lines)
	switch check.Worst(lines) {
	case check.Error:
		fmt.Fprintf(p.out, "\n%d errors, %d warnings\n", count[check.Error], count[check.Warning])
		return errMend
	case check.Warning:
		fmt.Fprintf(p.out, "\nthis configuration works; %d warnings\n", count[check.Warning])
	default:
		fmt.Fprintln(p.out, "\nthis configuration works")
	}
	return nil
}

// settingLines say what is wrong with settings by themselves.
func settingLines(bad []badSetting) (lines []check.Line) {
	for _, b := range bad {
		lines = append(lines, check.Line{Level: check.Error, About: "settings", Says: b.name + b.says, Mend: b.mend})
	}
	if len(lines) == 0 {
		lines = append(lines, check.Line{Level: check.OK, About: "settings", Says: "all can be read"})
	}
	return lines
}

// toAsk leaves out what is bad by itself.
func (c *checkCommand) toAsk(bad []badSetting) check.Config {
	good := func(name, value string) string {
		if slices.ContainsFunc(bad, func(b badSetting) bool { return b.name == name }) {
			return ""
		}
		return value
	}
	s := &c.Settings
	config := check.Config{
		DatabaseURL: good("DATABASE_URL", s.DatabaseURL), ReplicaURL: good("DATABASE_READ_REPLICA_URL", s.ReplicaURL),
		Secret: s.Secret, RedisURL: good("REDIS_URL", s.RedisURL), Patience: c.Patience,
	}
	for _, o := range s.origins() {
		if good(o.Name, o.URL) != "" {
			config.Origins = append(config.Origins, o)
		}
	}
	if s.Embedded {
		config.EmbeddedSlot = good("REALTIME_GW_SLOT", s.Slot)
	}
	return config
}

// printLines says how many lines there were of each level.
func printLines(out io.Writer, lines []check.Line) (count [3]int) {
	for _, l := range lines {
		count[l.Level]++
		fmt.Fprintln(out, l)
		if l.Mend != "" {
			fmt.Fprintln(out, "  mend:  "+l.Mend)
		}
	}
	return count
}
