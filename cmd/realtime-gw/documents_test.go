package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// model is the program's command line: its commands, and for each variable of the
// environment the defaults that it has.
func model(t *testing.T) (commands []string, defaults map[string][]string) {
	t.Helper()
	app := kong.Must(&cli{}, kong.Vars{"version": ""})
	defaults = map[string][]string{}
	err := kong.Visit(app.Model, func(node kong.Visitable, next kong.Next) error {
		switch n := node.(type) {
		case *kong.Command:
			commands = append(commands, n.Name)
		case *kong.Flag:
			for _, env := range n.Envs {
				defaults[env] = append(defaults[env], n.Default)
			}
		}
		return next(nil)
	})
	if err != nil || len(commands) < 7 || len(defaults) < 10 {
		t.Fatalf("%v %v %v", commands, defaults, err)
	}
	return commands, defaults
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	settingRow = regexp.MustCompile("(?m)^\\| `([A-Z][A-Z0-9_]+)` \\|.*\\| ([^|]*) \\|$")
	otelName   = regexp.MustCompile("OTEL_[A-Z_]+")
	ourNames   = regexp.MustCompile(`\b(REALTIME|ELECTRIC_ORIGIN|REDIS|DATABASE)_[A-Z0-9_]+\b`)
)

// Every variable that the program reads stands in docs/operations.md with its
// default, and no other does.
func TestSettingsAreDocumented(t *testing.T) {
	_, defaults := model(t)
	document := read(t, "docs", "operations.md")
	documented := map[string]bool{}
	for _, row := range settingRow.FindAllStringSubmatch(document, -1) {
		name, says := row[1], row[2]
		if documented[name] {
			t.Errorf("%s stands there twice", name)
		}
		documented[name] = true
		if value, ok := strings.CutPrefix(says, "`"); ok && !slices.Contains(defaults[name], strings.TrimSuffix(value, "`")) {
			t.Errorf("the default of %s is said to be %s, and is %q", name, says, defaults[name])
		}
		for _, value := range defaults[name] {
			if value != "" && !strings.Contains(document, "`"+value+"`") {
				t.Errorf("%s: its default %s is not said", name, value)
			}
		}
	}
	for name := range defaults {
		if !documented[name] {
			t.Errorf("%s is read by the program, and has no row in docs/operations.md", name)
		}
	}
	for _, path := range [][]string{{"docs", "operations.md"}, {"README.md"}, {"compose.yaml"}, {"Dockerfile"}, {"scripts", "try-image"}} {
		for _, name := range ourNames.FindAllString(read(t, path...), -1) {
			if defaults[name] == nil {
				t.Errorf("%s names %s, which the program does not read", filepath.Join(path...), name)
			}
		}
	}
}

// What docs/operations.md calls an alarm is something that the program says.
func TestAlarmsAreSaid(t *testing.T) {
	var source strings.Builder
	for _, dir := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, alarms, _ := strings.Cut(read(t, "docs", "operations.md"), "## Alarms")
	alarms, _, _ = strings.Cut(alarms, "\n## ")
	messages := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(alarms, -1) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			messages++
			if !strings.Contains(source.String(), strings.TrimPrefix(message[1], "...")) {
				t.Errorf("nobody says %q", message[1])
			}
		}
	}
	if messages < 10 {
		t.Errorf("%d messages", messages)
	}
	said := 0
	for _, message := range regexp.MustCompile(`\.(?:Warn|Error)\(\)[^;\n]*\.Msg\("([^"]+)"\)`).FindAllStringSubmatch(source.String(), -1) {
		said++
		if !strings.Contains(alarms, message[1]) && !strings.Contains(devOnly, message[1]) {
			t.Errorf("%q is not among the alarms", message[1])
		}
	}
	if said < 10 {
		t.Errorf("%d messages are said", said)
	}
}

// devOnly are what the workload of dev says.
const devOnly = `
a simulated run is given up
some simulated runs were left unfinished
stopping Postgres
the simulated workload could not write; it tries again
the worker could not read or write; it tries again
`

// Nothing is read from the environment but by the command line, so that the list
// of those is the whole.
func TestNothingElseIsRead(t *testing.T) {
	document := read(t, "docs", "operations.md")
	for _, dir := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			openTelemetry := strings.HasSuffix(filepath.Dir(path), "tracing")
			ast.Inspect(file, func(n ast.Node) bool {
				if word, ok := n.(*ast.BasicLit); ok && openTelemetry && strings.HasPrefix(word.Value, `"OTEL_`) {
					if name := otelName.FindString(word.Value); !strings.Contains(document, "`"+name+"`") {
						t.Errorf("%s is read by %s, and does not stand in docs/operations.md", name, path)
					}
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || f.Sel.Name != "Getenv" && f.Sel.Name != "LookupEnv" {
					return true
				}
				if name, ok := call.Args[0].(*ast.BasicLit); !openTelemetry && (!ok || name.Value != `"PATH"`) {
					t.Errorf("%s reads the environment by itself", path)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// The README's table of commands is whole.
func TestCommandsAreDocumented(t *testing.T) {
	commands, _ := model(t)
	readme := read(t, "README.md")
	for _, command := range commands {
		if !strings.Contains(readme, "| `"+command+"` |") {
			t.Errorf("README.md has no row for the command %s", command)
		}
	}
}

// instructions are a Dockerfile's, without comments, each in one line.
func instructions(t *testing.T) (all [][2]string) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(read(t, "Dockerfile"), "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	for line := range strings.Lines(text) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, [2]string{name, rest})
		}
	}
	return all
}

// What the Dockerfile says of the program is so: what it builds, the variable that
// it stamps, the commands, the port, a user who is not root. That it works as a
// whole scripts/try-image shows.
func TestDockerfile(t *testing.T) {
	commands, defaults := model(t)
	said := map[string][]string{}
	for _, i := range instructions(t) {
		said[i[0]] = append(said[i[0]], i[1])
	}
	one := func(name string) string {
		if len(said[name]) != 1 {
			t.Fatalf("%d times %s", len(said[name]), name)
		}
		return said[name][0]
	}
	build := regexp.MustCompile(`CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main\.(\w+)=\$(\w+)" -o /out(/\S+) (\./\S+)`).FindStringSubmatch(strings.Join(said["RUN"], "\n"))
	if build == nil {
		t.Fatalf("no static build in %q", said["RUN"])
	}
	variable, argument, path, source := build[1], build[2], build[3], build[4]
	if here, err := filepath.Abs("."); err != nil || filepath.Join("/", source) != here[len(filepath.Dir(filepath.Dir(here))):] {
		t.Errorf("it builds %s, and the program is in %s", source, here)
	}
	if !strings.HasPrefix(one("ARG"), argument+"=") || !declares(t, "main.go", variable) {
		t.Errorf("it stamps main.%s with %s", variable, argument)
	}
	if want := strconv.Quote(path); one("ENTRYPOINT") != "["+want+"]" || one("CMD") != `["serve"]` || !slices.Contains(commands, "serve") {
		t.Errorf("it runs %s %s", one("ENTRYPOINT"), one("CMD"))
	}
	if _, does, _ := strings.Cut(one("HEALTHCHECK"), "CMD "); does != `["`+path+`", "healthcheck"]` || !slices.Contains(commands, "healthcheck") {
		t.Errorf("its health check is %s", does)
	}
	if !slices.Contains(defaults["REALTIME_GW_ADDR"], ":"+one("EXPOSE")) {
		t.Errorf("it exposes %s", one("EXPOSE"))
	}
	if user := one("USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) || !strings.Contains(strings.Join(said["RUN"], ""), "x:"+user+"::/:") {
		t.Errorf("its user is %s", user)
	}
	if version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod")); !strings.HasPrefix(said["FROM"][0], "golang:"+version[1]+"-") {
		t.Errorf("it builds with %s, and go.mod says %s", said["FROM"][0], version[1])
	}
}

// declares says whether a file has a package-level variable of this name, of type
// string and without a value, as the linker wants it.
func declares(t *testing.T, path, name string) bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "string" && v.Values == nil && v.Names[0].Name == name {
					return true
				}
			}
		}
	}
	return false
}

var composeName = regexp.MustCompile(`^      ([A-Z_]+): `)

// The services of compose.yaml that are this program name its commands and
// variables, and Electric the version that is said everywhere.
func TestCompose(t *testing.T) {
	commands, defaults := model(t)
	compose := read(t, "compose.yaml")
	ours := 0
	for _, service := range regexp.MustCompile(`(?m)^  \w+:\n(?:(?:   .*)?\n)+`).FindAllString(compose, -1) {
		if !strings.Contains(service, "\n    build: .\n") {
			continue
		}
		ours++
		for line := range strings.Lines(service) {
			if name := composeName.FindStringSubmatch(line); name != nil && defaults[name[1]] == nil {
				t.Errorf("%s is not read by the program", name[1])
			}
			if command, ok := strings.CutPrefix(line, `    command: ["`); ok && !slices.Contains(commands, strings.TrimSuffix(command, "\"]\n")) {
				t.Errorf("there is no command %s", command)
			}
		}
	}
	if ours != 2 {
		t.Errorf("%d services are this program", ours)
	}
	for _, want := range []string{"image: electricsql/electric:1.7.12\n", "- wal_level=logical\n", `"127.0.0.1:3030:3030"`} {
		if !strings.Contains(compose, want) {
			t.Errorf("it has no %s", want)
		}
	}
	for _, line := range regexp.MustCompile(`docker compose run --rm \w+ (.*)`).FindAllStringSubmatch(compose, -1) {
		if command, _, _ := strings.Cut(line[1], " "); !slices.Contains(commands, command) {
			t.Errorf("%s: there is no such command", line[0])
		}
	}
}
