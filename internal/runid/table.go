package runid

// Table is one of the two tables that hold runs. The zero value is Legacy,
// where every run lived before there was a second table.
type Table uint8

// The two run tables.
const (
	Legacy Table = iota // "TaskRun"
	V2                  // task_run_v2
)

// Tables lists both, Legacy first, for readers that ask each in turn.
func Tables() [2]Table { return [2]Table{Legacy, V2} }

// Name is the table's name in Postgres, unquoted and without its schema.
func (t Table) Name() string {
	if t == V2 {
		return "task_run_v2"
	}
	return "TaskRun"
}

// SQL is the table's name as it is written in a statement. It is a constant of
// this package, so that a statement made with it holds nothing from outside.
func (t Table) SQL() string {
	if t == V2 {
		return `"task_run_v2"`
	}
	return `"TaskRun"`
}

// String is the side's name in logs and metrics.
func (t Table) String() string {
	if t == V2 {
		return "v2"
	}
	return "legacy"
}

// Home is the table that a run with this id lives in. It takes the row's id,
// without the "run_" of a friendly id, and answers for every string.
func Home(id string) Table {
	if isKSUID(id) {
		return V2
	}
	return Legacy
}

const (
	ksuidLength = 27
	// maxKSUID is 2^160-1, the last number that fits in a KSUID's 20 bytes.
	// 27 digits of base62 can say more than that.
	maxKSUID = "aWgEPTl1tmebfsQzFP4bxwgy80V"
)

// isKSUID does not use ksuid.Parse, which takes bytes that are no digits of
// base62 as if they were: with it, a legacy id of 27 characters with a dash in
// it would be looked for in the wrong table. Digits, capitals and small letters
// stand in ASCII order, so comparing text compares numbers.
func isKSUID(s string) bool {
	if len(s) != ksuidLength {
		return false
	}
	for i := range len(s) {
		if !isAlphanumeric(s[i]) {
			return false
		}
	}
	return s <= maxKSUID
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
