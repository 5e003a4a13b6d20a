package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	lines := settingLines(s, p.unread)
	config := check.Config{DatabaseURL: s.DatabaseURL, ReplicaURL: s.ReplicaURL, Secret: s.Secret, RedisURL: s.RedisURL, Patience: c.Patience}
	switch {
	case !s.Embedded:
		config.Origins = s.origins()
	case s.Slot != "":
		config.EmbeddedSlot = s.Slot
	}
	lines = append(lines, check.Run(ctx, config)...)
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

// settingLines say what is wrong with settings by themselves. What is no URL at
// all is said here, and left out of what is asked.
func settingLines(s *serveCommand, unread []badSetting) (lines []check.Line) {
	_, bad := s.settings()
	for _, b := range append(unread, bad...) {
		lines = append(lines, check.Line{Level: check.Error, About: "settings", Says: b.name + b.says, Mend: b.mend})
		switch b.name {
		case "DATABASE_URL":
			s.DatabaseURL = ""
		case "DATABASE_READ_REPLICA_URL":
			s.ReplicaURL = ""
		case "REDIS_URL":
			s.RedisURL = ""
		}
	}
	if len(lines) == 0 {
		lines = append(lines, check.Line{Level: check.OK, About: "settings", Says: "all can be read"})
	}
	return lines
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
