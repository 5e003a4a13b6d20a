package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/logwriter"
)

// cli is the command line. Settings also come from the environment; a flag wins.
type cli struct {
	LogLevel string `help:"What to log: debug, info, warn or error. dev logs warn by default, the others info." env:"REALTIME_GW_LOG_LEVEL"`

	Version kong.VersionFlag `help:"Print the version, and end."`

	Dev     devCommand     `cmd:"" help:"Start everything on this machine: Postgres, tables, upstream, gateway and a simulated workload."`
	Serve   serveCommand   `cmd:"" help:"Serve in production, configured by the environment."`
	Shapes  shapesCommand  `cmd:"" help:"Serve the embedded shape server alone, as an upstream in a process of its own."`
	Migrate migrateCommand `cmd:"" help:"Create or mend the platform's tables in a database that does not have them."`
	Token   tokenCommand   `cmd:"" help:"Sign a public access token for an environment."`
	Check   checkCommand   `cmd:"" help:"Say whether serve will work with this environment, and how to mend what will not."`

	Healthcheck healthcheckCommand `cmd:"" help:"Ask the gateway on this machine whether it takes requests, for a container's health check."`
}

// version is set by whoever builds where there is no repository, as for an image:
// go build -ldflags "-X main.version=...".
var version string

// versionOf falls back on what Go itself has noted of the repository.
func versionOf(info *debug.BuildInfo, ok bool) string {
	switch {
	case version != "":
		return version
	case ok:
		return info.Main.Version
	}
	return "unknown"
}

// levels are the words for what to log; none means the command's own.
var levels = [...]string{"", "debug", "info", "warn", "error"}

// program is what every command runs in.
type program struct {
	out    io.Writer
	level  string
	unread []badSetting      // of the environment; only check runs with some
	hurry  context.Context   // ends with the second signal: what was to end in its own time ends now
	lines  *logwriter.Writer // nil: nobody has asked for a logger
}

// logger writes JSON lines to standard error; standard output is for results.
func (p *program) logger(fallback zerolog.Level) zerolog.Logger {
	level := fallback
	if p.level != "" {
		level, _ = zerolog.ParseLevel(p.level) // main has looked at it
	}
	if p.lines == nil {
		p.lines = logwriter.New(os.Stderr)
	}
	return zerolog.New(p.lines).Level(level).With().Timestamp().Logger()
}

// close writes what was logged.
func (p *program) close() {
	if p.lines != nil {
		_ = p.lines.Close()
	}
}

func main() {
	var line cli
	parser := kong.Must(&line, kong.Name("realtime-gw"), kong.UsageOnError(), kong.Vars{"version": versionOf(debug.ReadBuildInfo())},
		kong.Description("Two run tables, one realtime feed: a gateway in front of Electric."))
	unread := setAside(parser.Model)
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if !slices.Contains(levels[:], line.LogLevel) {
		unread = append(unread, badSetting{"REALTIME_GW_LOG_LEVEL", fmt.Sprintf(" is %q", line.LogLevel), "give debug, info, warn or error"})
	}
	if len(unread) > 0 && parsed.Command() != "check" {
		parsed.Fatalf("%s", unread[0])
	}
	ctx, hurry := signals()
	parsed.BindTo(ctx, (*context.Context)(nil))
	p := &program{out: os.Stdout, level: line.LogLevel, unread: unread, hurry: hurry}
	err = parsed.Run(p)
	p.close()
	parsed.FatalIfErrorf(err)
}

// signals gives what ends with the first signal, and with the second. A third ends
// the program where it stands.
func signals() (first, second context.Context) {
	came := make(chan os.Signal, 2)
	signal.Notify(came, os.Interrupt, syscall.SIGTERM)
	first, drain := context.WithCancel(context.Background())
	second, hurry := context.WithCancel(context.Background())
	go func() {
		<-came
		drain()
		<-came
		signal.Stop(came)
		hurry()
	}()
	return first, second
}
