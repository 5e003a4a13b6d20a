package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// tableState is what the log does not tell of a table. The zero value means
// that there is none.
type tableState struct {
	oid       uint32
	published bool
	columns   map[string]int16 // attribute numbers by name
}

// look reads the state of the tables from the catalog.
func (c *control) look(ctx context.Context, tables []Table) ([]tableState, error) {
	out := make([]tableState, len(tables))
	for i, t := range tables {
		var names []string
		var numbers []int16
		err := c.conn.QueryRow(ctx, `
			SELECT c.oid, array_agg(a.attname::text ORDER BY a.attnum), array_agg(a.attnum ORDER BY a.attnum),
			       EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname = $3)
			FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' GROUP BY c.oid`,
			t.Schema, t.Name, c.slot).Scan(&out[i].oid, &names, &numbers, &out[i].published)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at table %q.%q: %w", t.Schema, t.Name, err)
		}
		out[i].columns = make(map[string]int16, len(names))
		for j, n := range names {
			out[i].columns[n] = numbers[j]
		}
	}
	return out, nil
}

// changed says whether changes of a table can have been missed between two
// looks: it is another table, it was not published, or a column of the same name
// is another one, filled without a trace in the log. Columns that came or went
// can be told from the log.
func changed(before, now []tableState) bool {
	return !slices.EqualFunc(before, now, func(a, b tableState) bool {
		if a.oid != b.oid || a.published != b.published {
			return false
		}
		for name, number := range a.columns {
			if n, ok := b.columns[name]; ok && n != number {
				return false
			}
		}
		return true
	})
}

// mend publishes tables that were made anew, and announces the gap. A table
// that is not there is waited for; one without old rows is an error.
func (s *Stream) mend(ctx context.Context, c Consumer) error {
	now, err := s.control.look(ctx, s.cfg.Tables)
	if err != nil {
		return err
	}
	if !changed(s.tables, now) {
		return nil
	}
	for i, t := range s.cfg.Tables {
		if now[i].oid == 0 || now[i].published {
			continue
		}
		err := s.control.check(ctx, []Table{t})
		if errors.As(err, new(unfitError)) {
			return fmt.Errorf("%w: %w", errFinal, err)
		}
		if err == nil {
			err = s.control.publish(ctx, t)
		}
		if hasCode(err, codeUndefinedObject) {
			// Without a publication the slot cannot be read across the time in
			// which there was none, not even when it is there again.
			return s.renew(ctx, c, "the publication was dropped")
		}
		if err != nil {
			return err
		}
		now[i].published = true
	}
	s.tables = now
	s.announce(c, "a table was dropped, made anew or taken out of the publication")
	return nil
}

// renew makes publication and slot anew, and announces the gap.
func (s *Stream) renew(ctx context.Context, c Consumer, why string) error {
	at, err := s.control.recreate(ctx, s.cfg.Tables)
	if err != nil {
		return err
	}
	s.processed.Store(uint64(at))
	if s.tables, err = s.control.look(ctx, s.cfg.Tables); err != nil {
		return err
	}
	s.announce(c, why)
	return nil
}

func (s *Stream) announce(c Consumer, why string) {
	s.cfg.Logger.Warn().Str("slot", s.cfg.Slot).Msg(why + ": all shapes start over")
	c.Lost()
}

// publish adds a table to the publication.
func (c *control) publish(ctx context.Context, t Table) error {
	_, err := c.conn.Exec(ctx, "ALTER PUBLICATION "+pgx.Identifier{c.slot}.Sanitize()+" ADD TABLE "+pgx.Identifier{t.Schema, t.Name}.Sanitize())
	if err != nil {
		return fmt.Errorf("publish table %q.%q: %w", t.Schema, t.Name, err)
	}
	return nil
}
