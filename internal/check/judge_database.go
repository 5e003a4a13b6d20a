package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// judgeDatabase says whether a database, the primary or a replica, has what is
// read from it.
func judgeDatabase(name string, f databaseFacts) (lines []Line) {
	if f.err != nil {
		return []Line{wrong(name, mendConnection(name, f), "%s", f.err)}
	}
	if f.major < localpg.MinVersion {
		return []Line{wrong(name, "upgrade Postgres to a version that is maintained", "it is Postgres %d: %d is the oldest that can be used", f.major, localpg.MinVersion)}
	}
	lines = append(lines, fine(name, "Postgres %d, database %s, as %s", f.major, f.server.Database, f.server.Role), judgeClock(name, f.clock))
	lines = append(lines, judgeTables(name, f)...)
	return append(lines, judgeRunTables(name, f)...)
}

// mendConnection is what to do about a database that cannot be asked.
func mendConnection(name string, f databaseFacts) string {
	switch f.code {
	case "28P01", "28000":
		return "set " + name + " to a URL with a user and password that this database takes, or let them in in its pg_hba.conf"
	case "3D000":
		return "set " + name + " to the URL of the platform's database, with its name behind the last slash"
	case "42704":
		return "take out of " + name + " what only the platform's own library understands, such as ?schema=public"
	case "53300":
		return "raise max_connections of the database, or end connections that nobody needs"
	case "42501":
		return "give the user of " + name + " the right to read what the message names"
	}
	return "set " + name + " to postgres://user:password@host:5432/name, of a database that is running and can be reached from here"
}

// The clocks may differ by this much before anybody notices, and before it is
// too much: floors of tag feeds, expiring tokens and slots in Redis are all
// measured by this machine's.
const (
	clockNoticed = 10 * time.Second
	clockTooMuch = 2 * time.Minute
)

func judgeClock(name string, ahead time.Duration) Line {
	const mend = "timedatectl set-ntp true -- on the machine whose clock is wrong"
	says := fmt.Sprintf("its clock and this machine's differ by %s", ahead.Abs().Round(time.Millisecond))
	switch {
	case ahead.Abs() > clockTooMuch:
		return wrong(name, mend, "%s: feeds begin, and tokens end, at the wrong time", says)
	case ahead.Abs() > clockNoticed:
		return warn(name, mend, "%s", says)
	}
	return fine(name, "%s", says)
}

// judgeTables looks for tables, for the columns of those that are not run tables,
// and for the right to read.
func judgeTables(name string, f databaseFacts) (lines []Line) {
	whole := true
	for _, t := range f.tables {
		if !t.there {
			whole = false
			if t.wanted.spare {
				lines = append(lines, warn(name, migrate, "there is no table %s: keys with scopes of their own will not work", t.wanted.sql))
				continue
			}
			lines = append(lines, wrong(name, migrate, "there is no table %s", t.wanted.sql))
			continue
		}
		var missing, locked []string
		for _, column := range t.wanted.columns {
			switch c, ok := t.columns[column]; {
			case !ok:
				missing = append(missing, quote(column))
			case !c.Readable:
				locked = append(locked, quote(column))
			}
		}
		// What the run tables lack, judgeRunTables says with their types.
		if len(missing) > 0 && !isRunTable(t) {
			whole = false
			lines = append(lines, wrong(name, "upgrade the platform to a version whose "+t.wanted.sql+" has them", "table %s has no %s", t.wanted.sql, strings.Join(missing, ", ")))
		}
		if len(locked) > 0 {
			whole = false
			lines = append(lines, wrong(name, fmt.Sprintf("GRANT SELECT ON %s TO %s", t.wanted.sql, f.server.RoleSpelling),
				"%s may not read %s of table %s", f.server.Role, strings.Join(locked, ", "), t.wanted.sql))
		}
	}
	if whole {
		lines = append(lines, fine(name, "the %d tables that are read are there", len(f.tables)))
	}
	return lines
}

// migrate makes what is missing, and nothing else. In the platform's own database
// its own migrations should.
const migrate = "realtime-gw migrate -- or the platform's own migrations, where these are its tables"

// quote writes a column's name as SQL does where it has capitals.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
