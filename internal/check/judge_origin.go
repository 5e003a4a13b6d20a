package check

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// judgeOrigin says whether an Electric is there, well, ours, and new enough.
func judgeOrigin(o originFacts, secret bool, db databaseFacts) (lines []Line) {
	find := fmt.Sprintf("set %s to Electric's base URL, such as http://electric:3000, and see that it can be reached from here", o.name)
	switch {
	case o.err != nil:
		return []Line{wrong(o.name, find, "Electric cannot be reached: %s", o.err)}
	case o.health == http.StatusAccepted:
		lines = append(lines, wrong(o.name, "wait until Electric has connected to its database; if it does not, its log says why", "Electric is not active, but %s", orSo(o.state)))
	case o.health != http.StatusOK:
		return []Line{wrong(o.name, find, "status %d where Electric says how it is (/v1/health)", o.health)}
	default:
		lines = append(lines, fine(o.name, "Electric is active"))
		lines = append(lines, judgeShapes(o, secret, db)...)
	}
	lines = append(lines, judgeVersion(o.name, o.server))
	if o.dated {
		lines = append(lines, judgeClock(o.name, o.clock))
	}
	return lines
}

func orSo(state string) string {
	if state == "" {
		return "says nothing of its state"
	}
	return printable(state)
}

// judgeShapes reads the answers to requests that no Electric can grant: one that
// is let in is told what is wrong with its where clause.
func judgeShapes(o originFacts, secret bool, db databaseFacts) (lines []Line) {
	for i, t := range runid.Tables() {
		switch a := o.answers[i]; {
		case a.err != nil:
			lines = append(lines, wrong(o.name, "see Electric's log", "a request for %s got no answer: %s", runTable(t), a.err))
		case a.status == http.StatusUnauthorized:
			return append(lines, wrong(o.name, "set ELECTRIC_SECRET to the value that Electric itself was started with", "Electric does not take our secret"))
		case a.fields["table"] != nil:
			if db.usable() && db.tables[i].there {
				lines = append(lines, wrong(o.name, "give Electric the same database as DATABASE_URL", "Electric follows another database: in its own there is no table %s", runTable(t)))
			} else {
				lines = append(lines, wrong(o.name, "realtime-gw migrate -- or the platform's own migrations", "Electric's database has no table %s", runTable(t)))
			}
		case a.fields["where"] == nil:
			lines = append(lines, wrong(o.name, "see Electric's log", "status %d to a request for %s where a 400 was due", a.status, runTable(t)))
		}
	}
	if len(lines) > 0 {
		return lines
	}
	if !secret {
		return append(lines, warn(o.name, "set ELECTRIC_SECRET, for Electric and for the gateway, to what openssl rand -hex 32 prints", "Electric asks for no secret: whoever can reach it reads every run"))
	}
	if o.open != http.StatusUnauthorized {
		return append(lines, warn(o.name, "start Electric with ELECTRIC_SECRET, and without ELECTRIC_INSECURE", "Electric does not ask for the secret: whoever can reach it reads every run"))
	}
	return append(lines, fine(o.name, "Electric takes our secret, and has both run tables"))
}

// judgeFollowers compares how many Electrics are well with how many slots there
// are for them to read: each has one in its database, whatever its name.
func judgeFollowers(db databaseFacts, origins []originFacts) []Line {
	var active []string // one can be named more than once
	for _, o := range origins {
		if o.err == nil && o.health == http.StatusOK && !slices.Contains(active, o.url) {
			active = append(active, o.url)
		}
	}
	if !db.usable() || db.server.Standby || len(active) == 0 {
		return nil
	}
	slots := 0
	for _, s := range db.slots {
		if s.Plugin == "pgoutput" {
			slots++
		}
	}
	const name, mend = "DATABASE_URL", "give every Electric the same database as DATABASE_URL, and each a replication stream of its own (ELECTRIC_REPLICATION_STREAM_ID)"
	switch {
	case slots == 0:
		return []Line{wrong(name, mend, "Electric is active, but no replication slot of it is in this database: it follows another one")}
	case slots < len(active):
		return []Line{wrong(name, mend, "%d Electrics are active, but %d replication slots are in this database: one follows another database, or has two names", len(active), slots)}
	}
	return []Line{fine(name, "there is a replication slot for each Electric")}
}
