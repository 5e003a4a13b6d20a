package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
)

// cli is the command line. Settings also come from the environment; a flag wins.
type cli struct {
	LogLevel string `help:"What to log: debug, info, warn or error. dev logs warn by default, the others info." env:"REALTIME_GW_LOG_LEVEL"`

	Dev     devCommand     `cmd:"" help:"Start everything on this machine: Postgres, tables, upstream, gateway and a simulated workload."`
	Serve   serveCommand   `cmd:"" help:"Serve in production, configured by the environment."`
	Shapes  shapesCommand  `cmd:"" help:"Serve the embedded shape server alone, as an upstream in a process of its own."`
	Migrate migrateCommand `cmd:"" help:"Create or mend the platform's tables in a database that does not have them."`
	Token   tokenCommand   `cmd:"" help:"Sign a public access token for an environment."`
}

// levels are the words for what to log; none means the command's own.
var levels = [...]string{"", "debug", "info", "warn", "error"}

// program is what every command runs in.
type program struct {
	out   io.Writer
	level string
}

// logger writes JSON lines to standard error; standard output is for results.
func (p *program) logger(fallback zerolog.Level) zerolog.Logger {
	level := fallback
	if p.level != "" {
		level, _ = zerolog.ParseLevel(p.level) // main has looked at it
	}
	return zerolog.New(os.Stderr).Level(level).With().Timestamp().Logger()
}

func main() {
	var line cli
	parsed := kong.Parse(&line, kong.Name("realtime-gw"), kong.UsageOnError(),
		kong.Description("Two run tables, one realtime feed: a gateway in front of Electric."))
	if !slices.Contains(levels[:], line.LogLevel) {
		parsed.Fatalf("REALTIME_GW_LOG_LEVEL is %q: give debug, info, warn or error", line.LogLevel)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	parsed.BindTo(ctx, (*context.Context)(nil))
	err := parsed.Run(&program{out: os.Stdout, level: line.LogLevel})
	stop()
	parsed.FatalIfErrorf(err)
}
