package check

import (
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// usable says whether a database was asked with success.
func (f databaseFacts) usable() bool { return f.err == nil && f.major >= localpg.MinVersion }

// judgePrimary says whether the run tables can be followed: by an Electric, or by
// the embedded upstream if slot is not empty.
func judgePrimary(f databaseFacts, slot string) (lines []Line) {
	const name = "DATABASE_URL"
	if !f.usable() {
		return nil
	}
	if f.server.WalLevel != "logical" {
		lines = append(lines, wrong(name, "ALTER SYSTEM SET wal_level = 'logical' -- then restart Postgres", "wal_level is %s: changes cannot be followed", f.server.WalLevel))
	} else {
		lines = append(lines, fine(name, "wal_level is logical"))
	}
	full := 0
	for _, t := range f.tables {
		switch {
		case !t.stored() || !isRunTable(t):
		case t.identity == "f":
			full++
		default:
			lines = append(lines, wrong(name, "ALTER TABLE "+t.wanted.sql+" REPLICA IDENTITY FULL", "table %s does not log old rows: nobody can tell which feeds a row leaves", t.wanted.sql))
		}
	}
	if full == 2 {
		lines = append(lines, fine(name, "the run tables log old rows"))
	}
	if f.server.Standby {
		if slot != "" {
			lines = append(lines, wrong(name, "set DATABASE_URL to the primary", "it is a standby, which the embedded upstream cannot follow"))
		} else {
			lines = append(lines, warn(name, "set DATABASE_URL to the primary, and DATABASE_READ_REPLICA_URL to this one", "it is a standby, whose settings may not be those of its primary"))
		}
	}
	lines = append(lines, judgeSlots(f, slot)...)
	if slot != "" {
		lines = append(lines, judgeEmbedded(f, slot)...)
	}
	return lines
}

// judgeSlots looks for what fills the disk.
func judgeSlots(f databaseFacts, own string) (lines []Line) {
	const name = "DATABASE_URL"
	drop := func(slot string) string {
		return fmt.Sprintf("SELECT pg_drop_replication_slot('%s') -- if whoever read it will not come back; else start that again", slot)
	}
	for _, s := range f.slots {
		switch {
		case s.Name == own: // made anew at every start
		case s.Status == "lost":
			lines = append(lines, wrong(name, drop(s.Name), "replication slot %s has lost WAL that its reader needs: that one has to begin anew", s.Name))
		case !s.Active:
			lines = append(lines, warn(name, drop(s.Name), "nobody reads replication slot %s, for which Postgres keeps %s of WAL, and more with every write", s.Name, s.Retained))
		}
	}
	if f.server.KeepSize == "-1" {
		lines = append(lines, warn(name, "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf() -- less than the disk has to spare",
			"max_slot_wal_keep_size is not set: a slot whose reader stays away fills the disk"))
	} else {
		lines = append(lines, fine(name, "a slot keeps at most %s of WAL", f.server.KeepSize))
	}
	return lines
}

// judgeEmbedded looks at what the embedded upstream needs and Electric has for
// itself: a slot, a connection, and rights.
func judgeEmbedded(f databaseFacts, slot string) (lines []Line) {
	const name = "REALTIME_GW_EMBEDDED"
	s := f.server
	slots, senders := s.Slots, s.Senders
	for _, there := range f.slots {
		if there.Name == slot { // an instance that runs, or its leavings
			slots--
			if there.Active {
				senders--
			}
		}
	}
	if slots >= s.MaxSlots {
		lines = append(lines, wrong(name, fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d -- then restart Postgres", slots+4), "all %d replication slots are taken (max_replication_slots)", s.MaxSlots))
	}
	if senders >= s.MaxSenders {
		lines = append(lines, wrong(name, fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d -- then restart Postgres", senders+4), "all %d connections for replication are taken (max_wal_senders)", s.MaxSenders))
	}
	if s.Encoding != "UTF8" {
		lines = append(lines, wrong(name, "CREATE DATABASE runs ENCODING 'UTF8' TEMPLATE template0 -- and copy the data into it", "the database's encoding is %s, and only UTF8 can be followed", s.Encoding))
	}
	if !s.MayReplicate {
		lines = append(lines, wrong(name, "ALTER ROLE "+s.RoleSpelling+" REPLICATION", "%s may not replicate", s.Role))
	}
	if !s.MayCreate {
		lines = append(lines, wrong(name, "GRANT CREATE ON DATABASE "+s.DatabaseSpelling+" TO "+s.RoleSpelling, "%s may not make a publication in this database", s.Role))
	}
	for _, t := range f.tables {
		if !t.stored() || !isRunTable(t) {
			continue
		}
		if !t.owned {
			lines = append(lines, wrong(name, "ALTER TABLE "+t.wanted.sql+" OWNER TO "+s.RoleSpelling, "%s does not own table %s, and cannot publish it", s.Role, t.wanted.sql))
		}
		if t.kind == "p" {
			lines = append(lines, wrong(name, "set ELECTRIC_ORIGIN, and unset REALTIME_GW_EMBEDDED", "table %s is partitioned, which only Electric can follow", t.wanted.sql))
		}
	}
	if Worst(lines) == OK {
		lines = append(lines, fine(name, "the database can be followed through slot %s", slot))
	}
	return lines
}

// judgeReplica compares the replica with its primary.
func judgeReplica(primary, replica databaseFacts) []Line {
	const name = "DATABASE_READ_REPLICA_URL"
	if !primary.usable() || !replica.usable() {
		return nil
	}
	if primary.server.Database != replica.server.Database || primary.system != 0 && replica.system != 0 && primary.system != replica.system {
		return []Line{warn(name, "set DATABASE_READ_REPLICA_URL to a replica of DATABASE_URL, or unset it", "it is not a copy of DATABASE_URL's cluster and database: what is found there first may be another's")}
	}
	return []Line{fine(name, "it is of the same cluster as DATABASE_URL")}
}
