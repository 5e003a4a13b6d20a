package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake makes a folder with a Postgres that only tells its version.
func fake(t *testing.T, dir string, major int) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %d.4 (Debian)'\n", major)
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	onPath := fake(t, filepath.Join(root, "path"), 16)
	old := fake(t, filepath.Join(root, "old"), 13)
	for _, major := range []int{9, 14, 15, 17} {
		fake(t, filepath.Join(root, "debian", fmt.Sprint(major), "bin"), major)
	}
	half := filepath.Join(root, "half") // the server without initdb, as some packages have it
	fake(t, half, 18)
	if err := os.Remove(filepath.Join(half, "initdb")); err != nil {
		t.Fatal(err)
	}
	broken := fake(t, filepath.Join(root, "broken"), 18)
	if err := os.WriteFile(filepath.Join(broken, "postgres"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	debian := filepath.Join(root, "debian", "*", "bin")
	fetched := fake(t, filepath.Join(root, "fetched"), 18)
	offline := errors.New("offline")

	for name, c := range map[string]struct {
		path, glob string
		major      int
		fetch      error
		want       string
	}{
		"the first on PATH":        {path: half + ":" + broken + ":relative::" + old + ":" + onPath, glob: debian, want: onPath},
		"Debian's newest":          {path: old, glob: debian, want: filepath.Join(root, "debian", "17", "bin")},
		"the cluster's version":    {path: onPath, glob: debian, major: 15, want: filepath.Join(root, "debian", "15", "bin")},
		"a download":               {path: old, want: fetched},
		"no download":              {path: old, fetch: offline},
		"a download that does not": {path: old, major: 16},
	} {
		f := finder{path: c.path, fetch: func(_ context.Context, major int) (string, error) {
			if major != c.major {
				t.Errorf("%s: version %d was fetched", name, major)
			}
			return fetched, c.fetch
		}}
		if c.glob != "" {
			f.globs = []string{c.glob}
		}
		got, err := f.find(t.Context(), c.major)
		if c.want == "" {
			if err == nil || c.fetch != nil && (!errors.Is(err, offline) || !strings.Contains(err.Error(), "13 in "+old)) {
				t.Errorf("%s: found %v, %v", name, got, err)
			}
			continue
		}
		if err != nil || got.dir != c.want {
			t.Errorf("%s: found %v, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestFindGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := finder{path: fake(t, t.TempDir(), 16), fetch: func(context.Context, int) (string, error) {
		t.Error("it went on to download one")
		return "", nil
	}}
	if _, err := f.find(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
