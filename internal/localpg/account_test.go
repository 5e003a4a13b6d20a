package localpg

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReaches(t *testing.T) {
	root := filepath.Dir(stateDir(t))
	for _, dir := range []string{"open/deep", "shut/deep"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "shut"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "shut"), filepath.Join(root, "open", "link")); err != nil {
		t.Fatal(err)
	}
	stranger := account{uid: 54321, gid: 54321, switched: true}
	owner := account{uid: uint32(os.Geteuid()), gid: 54321, switched: true}
	self := account{uid: 54321, gid: 54321}
	for _, c := range []struct {
		who  account
		dir  string
		want bool
	}{
		{stranger, "open/deep", true}, {stranger, "shut/deep", false}, {stranger, "open/link/deep", false},
		{owner, "shut/deep", true}, {self, "shut/deep", true},
	} {
		if got, err := c.who.reaches(filepath.Join(root, c.dir)); err != nil || got != c.want {
			t.Errorf("user %d in %s: %v, %v", c.who.uid, c.dir, got, err)
		}
	}
	if _, err := stranger.reaches(filepath.Join(root, "missing")); err == nil {
		t.Error("a directory that is not there was reached")
	}
}
