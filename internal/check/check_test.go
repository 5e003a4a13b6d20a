package check_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/check"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// sesame stands wherever there is a secret, and must not come back.
const sesame = "opensesame"

// look runs a check, and fails if it repeats a secret or breaks its form.
func look(t *testing.T, c check.Config) []check.Line {
	t.Helper()
	lines := check.Run(t.Context(), c)
	secrets := []string{sesame}
	if u, err := url.Parse(c.DatabaseURL); err == nil && u.User != nil {
		if password, _ := u.User.Password(); password != "" {
			secrets = append(secrets, password)
		}
	}
	for _, l := range lines {
		text := l.String() + l.Mend
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("repeats a secret: %s", l)
			}
		}
		if strings.ContainsAny(text, "\n\r") || (l.Mend == "") != (l.Level == check.OK) {
			t.Errorf("not one line, or without what mends it: %q, %q", l, l.Mend)
		}
	}
	return lines
}

// faults are the lines that are not green.
func faults(lines []check.Line) (all []check.Line) {
	for _, l := range lines {
		if l.Level != check.OK {
			all = append(all, l)
		}
	}
	return all
}

func green(t *testing.T, lines []check.Line) {
	t.Helper()
	for _, l := range faults(lines) {
		t.Errorf("%s\n\tmend: %s", l, l.Mend)
	}
	if len(lines) == 0 {
		t.Error("nothing was looked at")
	}
}

// found is what a test expects: a line of this level, about this setting, in
// which these words stand, and what mends it. An empty mend is not compared.
type found struct {
	level             check.Level
	about, says, mend string
}

// expect wants exactly these faults.
func expect(t *testing.T, lines []check.Line, want ...found) {
	t.Helper()
	got := faults(lines)
	for i, w := range want {
		if i >= len(got) {
			t.Errorf("not found: %+v", w)
			continue
		}
		l := got[i]
		if l.Level != w.level || l.About != w.about || !strings.Contains(l.Says, w.says) || w.mend != "" && l.Mend != w.mend {
			t.Errorf("got  %s\n\tmend: %s\nwant %s %s: %s\n\tmend: %s", l, l.Mend, w.level, w.about, w.says, w.mend)
		}
	}
	for _, l := range got[min(len(want), len(got)):] {
		t.Errorf("also found: %s\n\tmend: %s", l, l.Mend)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// run does what psql would with a line: one statement after the other, and
// nothing of a comment.
func run(t *testing.T, conn *pgx.Conn, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " -- ")
	for _, statement := range strings.Split(line, ";") {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// mend runs what the lines print.
func mend(t *testing.T, conn *pgx.Conn, lines []check.Line) {
	t.Helper()
	for _, l := range faults(lines) {
		run(t, conn, l.Mend)
	}
}

// role makes a user who may log in, and gives the database's URL for it.
func role(t *testing.T, conn *pgx.Conn, database string) (name, as string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name = pgtest.Slot(t)
	run(t, conn, "CREATE ROLE "+name+" LOGIN PASSWORD '"+sesame+"'")
	t.Cleanup(func() {
		for _, sql := range []string{"REASSIGN OWNED BY " + name + " TO CURRENT_USER", "DROP OWNED BY " + name, "DROP ROLE " + name} {
			if _, err := conn.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	})
	u.User = url.UserPassword(name, sesame)
	return name, u.String()
}
