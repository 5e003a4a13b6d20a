package runstore_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// env is often the first, which has the most runs.
func (m *machine) env(t *rapid.T) string { return oneOf(t, "env", append(m.envs, m.envs[0])...) }

// someEnvs are some of the environments, and one that has no runs.
func (m *machine) someEnvs(t *rapid.T) []string {
	return someOf(t, "envs", 4, plus(m.envs, "nobody's")...)
}

// someRun is a run that there is.
func (m *machine) someRun(t *rapid.T) (runstore.Run, bool) {
	if len(m.naive.primary.runs) == 0 {
		return runstore.Run{}, false
	}
	return oneOf(t, "run", m.naive.primary.runs...), true
}

// anyRun is a run there is, also as another environment would name it, or one that there is not.
func (m *machine) anyRun(t *rapid.T) runstore.Run {
	run, ok := m.someRun(t)
	if !ok || rarely(t, "one that is not there") {
		id := m.mint.Mint(oneOf(t, "table", tables()...))
		return runstore.Run{ID: id, FriendlyID: runid.FormatRun(id), EnvironmentID: m.env(t), ParentRunID: m.pointer(t, "parent"), RootRunID: m.pointer(t, "root")}
	}
	run.EnvironmentID = m.mostly(t, run.EnvironmentID)
	return run
}

// mostly is an environment, or now and then another, whose own something is not.
func (m *machine) mostly(t *rapid.T, env string) string {
	if between(t, "from elsewhere", 0, 3) == 3 {
		return m.env(t)
	}
	return env
}

// key is a run's, every other time the newest's, so that much is done to the same one.
func (m *machine) key(t *rapid.T) runstore.Key {
	if runs := m.naive.primary.runs; len(runs) > 0 && rapid.Bool().Draw(t, "the newest") {
		newest := runs[len(runs)-1]
		return runstore.Key{EnvironmentID: m.mostly(t, newest.EnvironmentID), ID: newest.ID}
	}
	return m.anyRun(t).Key()
}

// waiting is the key of a run that waits for a version, mostly, and mostly its own.
func (m *machine) waiting(t *rapid.T) runstore.Key {
	for _, run := range m.naive.primary.runs {
		if waits(run) && rapid.Bool().Draw(t, "this") {
			return runstore.Key{EnvironmentID: m.mostly(t, run.EnvironmentID), ID: run.ID}
		}
	}
	return m.key(t)
}

func (m *machine) keys(t *rapid.T) []runstore.Key {
	return several(t, "keys", 4, m.key)
}

func (m *machine) friendlies(t *rapid.T) []runid.Friendly {
	names := several(t, "names", 4, func(t *rapid.T) runid.Friendly { return parsed(m.anyRun(t).FriendlyID) })
	if rarely(t, "and a batch's") {
		names = append(names, m.batchName(t))
	}
	return names
}

// someIDs are ids of both formats, of whichever environments, also of no run.
func (m *machine) someIDs(t *rapid.T) []string {
	return several(t, "ids", 6, func(t *rapid.T) string { return m.anyRun(t).ID })
}

// someNames are friendly ids of runs, in any order, none twice.
func (m *machine) someNames(t *rapid.T) []string {
	var names []string
	for _, run := range m.naive.primary.runs {
		names = append(names, run.FriendlyID)
	}
	return someOf(t, "names", 4, append(names, "run_gone")...)
}

// pointer is a run's id of whichever environment, or nothing's. Many point to the first.
func (m *machine) pointer(t *rapid.T, what string) *string {
	ids := []string{"gone"}
	for _, run := range m.naive.primary.runs {
		ids = append(ids, run.ID)
	}
	if len(ids) > 1 && rapid.Bool().Draw(t, "the first") {
		return &ids[1]
	}
	return maybe(t, what, ids...)
}

// relative is a run, every other time the one that many point to.
func (m *machine) relative(t *rapid.T) runstore.Run {
	if runs := m.naive.primary.runs; len(runs) > 0 && rapid.Bool().Draw(t, "the first") {
		return runs[0]
	}
	return m.anyRun(t)
}

func (m *machine) batchPointer(t *rapid.T) *string {
	ids := []string{"gone"}
	for _, b := range m.naive.primary.batches {
		ids = append(ids, b.ID)
	}
	return maybe(t, "batch", ids...)
}

// anyBatch is a batch that there is, also as another environment would name it, or one
// that there is not. Now and then it names other runs.
func (m *machine) anyBatch(t *rapid.T) runstore.Batch {
	is := m.naive.primary.batches
	b := runstore.Batch{ID: "gone", FriendlyID: "batch_gone", EnvironmentID: m.env(t)}
	if len(is) > 0 && !rarely(t, "one that is not there") {
		b = oneOf(t, "batch", is...)
		b.EnvironmentID = m.mostly(t, b.EnvironmentID)
	}
	if rarely(t, "it names others") {
		b.RunIDs = m.someNames(t)
	}
	return b
}

// open is the key of a batch that is not sealed yet, mostly, and mostly its own.
func (m *machine) open(t *rapid.T) runstore.Key {
	for _, b := range m.naive.primary.batches {
		if !b.Sealed && rapid.Bool().Draw(t, "this") {
			return runstore.Key{EnvironmentID: m.mostly(t, b.EnvironmentID), ID: b.ID}
		}
	}
	return m.anyBatch(t).Key()
}

func (m *machine) batchName(t *rapid.T) runid.Friendly { return batchNamed(m.anyBatch(t)) }

func batchNamed(b runstore.Batch) runid.Friendly {
	name, err := runid.ParseBatch(b.FriendlyID)
	if err != nil {
		panic(err)
	}
	return name
}

// tokenOrNone is mostly none: a token is used up by the first that has it.
func (m *machine) tokenOrNone(t *rapid.T) *string {
	if between(t, "with a token", 0, 3) < 3 {
		return nil
	}
	return ptr(oneOf(t, "token", m.tokens...))
}

// id is a new id, for which it matters how texts are ordered: its first letters
// are large and small.
func (m *machine) id(t *rapid.T, table runid.Table) string {
	letter := oneOf(t, "letter", "a", "A", "b", "B", "z", "Z")
	id := m.mint.Mint(table)
	if table == runid.V2 {
		return id[:1] + letter + id[2:]
	}
	return letter + id[1:]
}

// writeMethods are the store's methods that write, and readMethods the others.
func writeMethods() []string {
	return slices.DeleteFunc(askedMethods(), func(name string) bool { return !slices.Contains(notReads, name) })
}

func readMethods() []string {
	return slices.DeleteFunc(askedMethods(), func(name string) bool { return slices.Contains(notReads, name) })
}
