package localpg

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repository is a Maven repository with a Postgres in it that only tells its
// version: testdata/postgres.txz. It counts what is asked of it.
func repository(t *testing.T, change func(jar []byte) []byte) (url string, asked *[]string) {
	t.Helper()
	archive, err := os.ReadFile("testdata/postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres-linux-x86_64.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(jar.Bytes())
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			_, _ = w.Write([]byte(hex.EncodeToString(sum[:])))
			return
		}
		_, _ = w.Write(change(jar.Bytes()))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // the library's client
	return s.URL, asked
}

func TestDownload(t *testing.T) {
	url, asked := repository(t, func(jar []byte) []byte { return jar })
	d := downloader{cache: filepath.Join(t.TempDir(), "cache"), repository: url}
	for range 2 { // the second time from the cache
		dir, err := d.fetch(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := inspectFor(t.Context(), dir, 18)
		if err != nil || !strings.HasPrefix(b.dir, d.cache) {
			t.Errorf("%v, %v", b, err)
		}
		for path, want := range map[string]os.FileMode{"": 0o755, "postgres": 0o755, "../share/file": 0o644} {
			if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%q: %v, %v; want %v", path, info.Mode(), err, want)
			}
		}
	}
	if len(*asked) != 2 || !strings.Contains((*asked)[0], "/18.") {
		t.Errorf("it asked for %q", *asked)
	}
	if left, _ := filepath.Glob(filepath.Join(d.cache, "unpack-*")); len(left) != 0 {
		t.Errorf("it left %q", left)
	}
}

func TestDownloadThatFails(t *testing.T) {
	url, _ := repository(t, func(jar []byte) []byte { return append([]byte("x"), jar...) })
	for name, c := range map[string]struct {
		major int
		want  string
	}{
		"another content": {15, "checksums"},
		"no such version": {13, "not among the downloads"},
	} {
		cache := t.TempDir()
		if _, err := (downloader{cache: cache, repository: url}).fetch(t.Context(), c.major); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) != 0 {
			t.Errorf("%s: it left %q", name, left)
		}
	}
}
