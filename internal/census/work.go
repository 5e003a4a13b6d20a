package census

import (
	"context"
	"time"
)

// work looks when somebody waits, and every Period while somebody watches.
func (c *Census) work() {
	period := time.NewTimer(c.config.Period)
	defer period.Stop()
	due := false
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		case <-period.C:
			due = true
		}
		if l, asked, some := c.next(due); some {
			c.finish(l, asked)
			if due {
				due = false
				period.Reset(c.config.Period)
			}
		}
	}
}

// next gathers what is to be looked for: what is waited for, and if it is due,
// what is watched. While nothing is watched it stays due, so that who comes then is
// looked for at once.
func (c *Census) next(due bool) (l *look, asked [Tables][]string, some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, c.waiting = c.waiting, nil
	ask := func(environment string) {
		e := c.entries[environment]
		for i := range asked {
			if e == nil || !e.tables[i] {
				asked[i] = append(asked[i], environment)
				some = true
			}
		}
	}
	if l != nil {
		for environment := range l.environments {
			ask(environment)
			if e := c.entries[environment]; e != nil {
				l.environments[environment] = e.tables
			}
		}
	}
	if due {
		for environment := range c.watched {
			if !l.has(environment) {
				ask(environment)
			}
		}
	}
	if !some && l != nil {
		close(l.done) // found meanwhile
	}
	return l, asked, some
}

// has says whether a look is for an environment. Of none it is for none.
func (l *look) has(environment string) bool {
	if l == nil {
		return false
	}
	_, has := l.environments[environment]
	return has
}

// finish looks, and tells those who wait.
func (c *Census) finish(l *look, asked [Tables][]string) {
	ctx, cancel := context.WithTimeout(c.ctx, c.config.Timeout)
	defer cancel()
	found, err := c.config.Store.EnvironmentsWithRuns(ctx, asked)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range found {
		for _, environment := range found[i] {
			c.found(environment, i)
			if l.has(environment) {
				tables := l.environments[environment]
				tables[i] = true
				l.environments[environment] = tables
			}
		}
	}
	c.bound()
	if failing := err != nil && c.ctx.Err() == nil; failing != c.failing {
		c.failing = failing
		if failing {
			c.config.Log.Warn().Err(err).Msg("which environments have runs in which table cannot be found out: feeds that start use both tables, and those that are held with one stay there")
		} else {
			c.config.Log.Info().Msg("which environments have runs in which table is known again")
		}
	}
	if l != nil {
		l.err = err
		close(l.done)
	}
}

// found notes that an environment has runs in a table. c.mu is held.
func (c *Census) found(environment string, table int) {
	e := c.entry(environment)
	if e.tables[table] {
		return
	}
	e.tables[table] = true
	close(e.gains[table])
	if e.whole() {
		delete(c.watched, environment)
	}
}
