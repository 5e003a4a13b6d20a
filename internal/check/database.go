package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// databaseFacts are what a database says of itself.
type databaseFacts struct {
	err  error // why there are none; fit to be printed
	code string

	major  int           // of Postgres's version; the rest is unknown of one that is too old
	clock  time.Duration // the database's clock, ahead of ours
	system int64         // the cluster's identifier; 0: not to be had
	server serverFacts
	slots  []slotFacts // of this database
	tables []tableFacts
}

type serverFacts struct {
	Version          int // as 150018
	WalLevel         string
	Encoding         string
	KeepSize         string // max_slot_wal_keep_size
	MaxSlots         int
	MaxSenders       int
	Slots, Senders   int // that there are, of all databases
	Standby          bool
	Clock            time.Time
	Role, Database   string
	MayReplicate     bool
	MayCreate        bool // publications
	DatabaseSpelling string
	RoleSpelling     string
}

type slotFacts struct {
	Name     string
	Plugin   string
	Active   bool
	Status   string // of the WAL that it needs
	Retained string // how much that is
}

// gatherDatabase asks all, within ctx.
func gatherDatabase(ctx context.Context, url string, now func() time.Time) databaseFacts {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return databaseFacts{err: errors.New("it is not a Postgres connection URL")} // the cause may hold the password
	}
	pc := config.ConnConfig
	pc.RuntimeParams["application_name"] = "realtime-gw check"
	facts, err := askDatabase(ctx, pc, now)
	if err != nil {
		return databaseFacts{err: concealed(err, secretsOf(pc, url)...), code: sqlState(err)}
	}
	return facts
}

func askDatabase(ctx context.Context, pc *pgx.ConnConfig, now func() time.Time) (f databaseFacts, err error) {
	conn, err := pgx.ConnectConfig(ctx, pc)
	if err != nil {
		return f, fmt.Errorf("it cannot be reached: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // nothing was written
	}()
	if f.major = majorOf(conn.PgConn().ParameterStatus("server_version")); f.major < localpg.MinVersion {
		return f, nil
	}
	before := now()
	rows, _ := conn.Query(ctx, selectServer) // CollectExactlyOneRow gives the error
	if f.server, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[serverFacts]); err != nil {
		return f, fmt.Errorf("it does not say how it is set up: %w", err)
	}
	f.clock = f.server.Clock.Sub(before.Add(now().Sub(before) / 2))
	rows, _ = conn.Query(ctx, selectSlots)
	if f.slots, err = pgx.CollectRows(rows, pgx.RowToStructByPos[slotFacts]); err != nil {
		return f, fmt.Errorf("it does not say which replication slots it has: %w", err)
	}
	// Not every role may ask this everywhere.
	_ = conn.QueryRow(ctx, `SELECT system_identifier FROM pg_control_system()`).Scan(&f.system)
	f.tables, err = askTables(ctx, conn)
	return f, err
}

// majorOf reads the first number of a version such as "15.18 (Debian ...)" or
// "18beta1".
func majorOf(version string) (major int) {
	for _, c := range version {
		if c < '0' || c > '9' {
			break
		}
		major = 10*major + int(c-'0')
	}
	return major
}

// secretsOf are what must not be repeated of a connection's settings. A password
// that is the user's name, or the database's or host's, is none that can be kept
// from a text that names these.
func secretsOf(pc *pgx.ConnConfig, url string) []string {
	if pc.Password == pc.User || pc.Password == pc.Database || pc.Password == pc.Host {
		return []string{url}
	}
	return []string{url, pc.Password}
}

const selectServer = `
SELECT current_setting('server_version_num')::int, current_setting('wal_level'), current_setting('server_encoding'),
       current_setting('max_slot_wal_keep_size'), current_setting('max_replication_slots')::int, current_setting('max_wal_senders')::int,
       (SELECT count(*) FROM pg_replication_slots)::int, (SELECT count(*) FROM pg_stat_replication)::int,
       pg_is_in_recovery(), clock_timestamp(), current_user::text, current_database()::text,
       r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER')),
       has_database_privilege(current_database(), 'CREATE'), quote_ident(current_database()), quote_ident(current_user)
FROM pg_roles r WHERE r.rolname = current_user`

const selectSlots = `
SELECT slot_name::text, coalesce(plugin::text, ''), active, coalesce(wal_status, ''),
       coalesce(pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)), '')
FROM pg_replication_slots WHERE database = current_database() AND NOT temporary ORDER BY slot_name`
