package embedded

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestSpoolLeavesNothing: a large snapshot is in a file without a name, is read
// to its end by a reader that was there when the shape went, and then freed.
func TestSpoolLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(&Config{SnapshotMemory: 10, TempDir: dir, MaxFiles: 1, FileBytes: 1 << 20}, &ledger{})
	parts := []string{"small", strings.Repeat("large", 100), "last"}
	for _, p := range parts {
		if err := s.write([]byte(p)); err != nil {
			t.Fatal(err)
		}
		s.cut()
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Fatalf("the directory holds %v, %v", names, err)
	}
	file := s.file
	if file == nil {
		t.Fatal("a large snapshot stayed in memory")
	}
	r, size, ok := s.open(1)
	if !ok || size != int64(len(parts[1])) {
		t.Fatalf("chunk 1 has %d bytes, %v", size, ok)
	}
	s.discard()
	if b, err := io.ReadAll(r); err != nil || string(b) != parts[1] {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, _, ok := s.open(0); ok {
		t.Error("a discarded spool is opened")
	}
	s.release()
	if _, err := file.Stat(); err == nil {
		t.Error("the file is still open")
	}
}
