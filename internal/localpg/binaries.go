package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// binaries is a folder with a Postgres in it.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// finder looks for binaries. Its fields are what a test replaces.
type finder struct {
	path  string // as in $PATH
	globs []string
	fetch func(ctx context.Context, major int) (dir string, err error)
}

// find gives the newest Postgres of the first place that has one. If major is
// not 0, a cluster of that version exists and nothing else will do.
func (f finder) find(ctx context.Context, major int) (binaries, error) {
	var seen []binaries
	for _, dir := range f.candidates() {
		b, err := inspect(ctx, dir)
		if err != nil {
			continue // a folder without a Postgres that works is no Postgres
		}
		if fits(b, major) {
			return b, nil
		}
		seen = append(seen, b)
	}
	// A Postgres that could not be asked because ctx had ended is not missing.
	if err := ctx.Err(); err != nil {
		return binaries{}, fmt.Errorf("localpg: gave up looking for Postgres: %w", err)
	}
	dir, err := f.fetch(ctx, major)
	if err != nil {
		return binaries{}, fmt.Errorf("localpg: no Postgres%s on PATH or in %v (found: %s), and none could be downloaded: %w; install Debian's package postgresql, or name the folder of the binaries",
			wanted(major), f.globs, describe(seen), err)
	}
	return inspectFor(ctx, dir, major)
}

func (f finder) candidates() []string {
	dirs := filepath.SplitList(f.path)
	for _, glob := range f.globs {
		found, _ := filepath.Glob(glob) // the patterns are constants, and good
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(trailing(b), trailing(a)) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// trailing is the last number in a path: "15" in /usr/lib/postgresql/15/bin.
func trailing(path string) int {
	all := regexp.MustCompile(`\d+`).FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

func fits(b binaries, major int) bool {
	return b.major >= MinVersion && (major == 0 || b.major == major)
}

func wanted(major int) string {
	if major != 0 {
		return fmt.Sprintf(" %d, whose cluster is in the state directory,", major)
	}
	return fmt.Sprintf(" %d or later", MinVersion)
}

func describe(seen []binaries) string {
	if len(seen) == 0 {
		return "none"
	}
	s := ""
	for i, b := range seen {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%d in %s", b.major, b.dir)
	}
	return s
}

// inspectFor is inspect for a folder that was named and so must fit.
func inspectFor(ctx context.Context, dir string, major int) (binaries, error) {
	b, err := inspect(ctx, dir)
	if err != nil {
		return b, fmt.Errorf("localpg: the Postgres in %s does not work: %w", dir, err)
	}
	if !fits(b, major) {
		return b, fmt.Errorf("localpg: the Postgres in %s has version %d, and what is needed is%s", dir, b.major, wanted(major))
	}
	return b, nil
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func inspect(ctx context.Context, dir string) (binaries, error) {
	b := binaries{dir: dir}
	if !filepath.IsAbs(dir) {
		return b, errors.New("a relative folder on PATH is not looked into")
	}
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(b.path(name)); err != nil || info.IsDir() {
			return b, fmt.Errorf("there is no %s in it", name)
		}
	}
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
	if err != nil {
		return b, fmt.Errorf("ask its version: %w", err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return b, fmt.Errorf("it calls its version %.60q", out)
	}
	b.major, err = strconv.Atoi(string(m[1]))
	return b, err
}
