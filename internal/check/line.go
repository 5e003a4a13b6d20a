package check

import "fmt"

// Level is how bad a finding is.
type Level uint8

// The levels. A Warning is of what works today and should not stay so; an Error
// is of what does not work.
const (
	OK Level = iota
	Warning
	Error
)

// String is the level's word at the beginning of a printed line.
func (l Level) String() string {
	return [...]string{"ok", "warning", "error"}[l]
}

// Line is one finding.
type Line struct {
	Level Level
	About string // the setting or part it is about, such as DATABASE_URL
	Says  string // what was found
	// Mend is what mends it: a statement of SQL, a command or a setting. What
	// stands behind " -- " in it is for the reader, as it is for Postgres. Empty
	// only where Level is OK.
	Mend string
}

// String is the finding in one line, without what mends it.
func (l Line) String() string { return fmt.Sprintf("%-8s %s: %s", l.Level, l.About, l.Says) }

func fine(about, format string, args ...any) Line {
	return Line{Level: OK, About: about, Says: fmt.Sprintf(format, args...)}
}

func warn(about, mend, format string, args ...any) Line {
	return Line{Level: Warning, About: about, Says: fmt.Sprintf(format, args...), Mend: mend}
}

func wrong(about, mend, format string, args ...any) Line {
	return Line{Level: Error, About: about, Says: fmt.Sprintf(format, args...), Mend: mend}
}

// Worst is the highest level among the lines.
func Worst(lines []Line) (worst Level) {
	for _, l := range lines {
		worst = max(worst, l.Level)
	}
	return worst
}
