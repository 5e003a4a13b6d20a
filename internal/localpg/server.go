package localpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Server is a Postgres that is running, or was. It is safe for concurrent use.
type Server struct {
	port     int
	version  int
	password string
	first    syscall.Signal // what Stop tries first

	proc *process
	lock *os.File
	once sync.Once // the lock is closed once
}

// Start makes a cluster in the state directory if there is none, starts the
// server, and returns when it takes connections. The server lives until Stop,
// whatever becomes of ctx afterwards.
//
// An *InUseError says that a live process has the directory already.
func Start(ctx context.Context, config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	// Others may pass through it, so that the server's user can; the files in
	// it have their own modes.
	if err := os.MkdirAll(config.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("localpg: make the state directory: %w", err)
	}
	lock, err := takeLock(ctx, config.Dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, config, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func start(ctx context.Context, config Config, lock *os.File) (*Server, error) {
	c, err := locate(config.Dir)
	if err != nil {
		return nil, err
	}
	major, err := c.version()
	if err != nil {
		return nil, err
	}
	bin, err := findBinaries(ctx, config, major)
	if err != nil {
		return nil, err
	}
	var password string
	if major == 0 {
		password, err = c.create(ctx, bin, config.Disposable)
	} else {
		password, err = c.readPassword()
	}
	if err != nil {
		return nil, err
	}
	if err := c.clearStale(); err != nil {
		return nil, err
	}
	s := &Server{version: bin.major, password: password, lock: lock, first: syscall.SIGINT}
	if config.Disposable {
		s.first = syscall.SIGQUIT
	}
	if err := s.launch(ctx, config, c, bin); err != nil {
		return nil, err
	}
	return s, nil
}

func findBinaries(ctx context.Context, config Config, major int) (binaries, error) {
	if config.BinDir != "" {
		return inspectFor(ctx, config.BinDir, major)
	}
	f := finder{
		path:  os.Getenv("PATH"),
		globs: []string{"/usr/lib/postgresql/*/bin"},
		fetch: func(ctx context.Context, major int) (string, error) {
			cache := config.CacheDir
			if cache == "" {
				var err error
				if cache, err = cacheDir(); err != nil {
					return "", err
				}
			}
			return downloader{cache: cache}.fetch(ctx, major)
		},
	}
	return f.find(ctx, major)
}

// launch runs the server on its port. Between finding a free port and taking it
// another program may be faster; then another port is tried.
func (s *Server) launch(ctx context.Context, config Config, c cluster, bin binaries) error {
	const tries = 5
	for try := 1; ; try++ {
		s.port = config.Port
		if s.port == 0 {
			var err error
			if s.port, err = freePort(ctx); err != nil {
				return err
			}
		}
		var err error
		s.proc, err = launch(c, bin, config.settings(s.port), s.lock, config.Log)
		if err != nil {
			return err
		}
		select {
		case <-s.proc.ready:
			if err := s.greet(ctx); err != nil {
				return errors.Join(err, s.proc.stop(ctx, syscall.SIGQUIT))
			}
			return nil
		case <-s.proc.gone:
			taken := s.proc.portTaken()
			if taken && config.Port == 0 && try < tries {
				continue
			}
			if taken {
				return fmt.Errorf("localpg: port %d on 127.0.0.1 is taken: choose another, or 0 for any; the server said:\n%s", s.port, s.proc.said())
			}
			return errors.Join(fmt.Errorf("localpg: the server in %s ended while it started; it said:\n%s", c.data, s.proc.said()), s.proc.err)
		case <-ctx.Done():
			err := s.proc.stop(ctx, syscall.SIGQUIT)
			return fmt.Errorf("localpg: gave up waiting for the server in %s: %w", c.data, errors.Join(ctx.Err(), err))
		}
	}
}

// greet logs in once, so that a password that does not fit is found here.
func (s *Server) greet(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("localpg: log in to the server that was started: %w", err)
	}
	return conn.Close(ctx)
}

// URL is what a client of the database connects to. It holds the password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the TCP port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Version is the server's major version.
func (s *Server) Version() int { return s.version }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.proc.gone }

// Log is the last part of the server's log, to say why Done was closed.
func (s *Server) Log() string { return s.proc.said() }

// CreateDatabase makes a database of that name unless there is one.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("localpg: connect to make database %q: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return fmt.Errorf("localpg: look for database %q: %w", name, err)
	}
	if there {
		return nil
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P04" { // duplicate_database: someone was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("localpg: make database %q: %w", name, err)
	}
	return nil
}

// Stop ends the server and returns when none of its processes is left. Clients
// are disconnected. If ctx ends first the server is stopped at once, which costs
// it a recovery at its next start, and the error says so. A second Stop does
// nothing.
func (s *Server) Stop(ctx context.Context) error {
	err := s.proc.stop(ctx, s.first)
	s.once.Do(func() { err = errors.Join(err, s.lock.Close()) })
	return err
}

// freePort finds a port on 127.0.0.1 that no one has at this moment.
func freePort(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("localpg: find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
