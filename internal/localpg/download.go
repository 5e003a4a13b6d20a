package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// downloads are the versions to be had, newest first. The newest is the default.
var downloads = []struct {
	major   int
	version embedded.PostgresVersion
}{
	{18, embedded.V18}, {17, embedded.V17}, {16, embedded.V16}, {15, embedded.V15}, {14, embedded.V14},
}

// downloader gets Postgres binaries from a Maven repository.
type downloader struct {
	cache      string // the folder they are kept in
	repository string // its base URL; "" for Maven Central
}

// fetch puts the binaries of a version, or of the newest, in the cache and gives
// their folder. One that is there already is taken.
//
// embedded-postgres downloads, checks and unpacks, but only as the first steps
// of starting a server, which as root cannot work. So it is asked to start on a
// folder that says it is a cluster of the right version and is not: it fails
// right after unpacking. What was unpacked is then moved to its place in one
// step, so that an interrupted download leaves nothing half there.
func (d downloader) fetch(ctx context.Context, major int) (string, error) {
	version, err := pick(major)
	if err != nil {
		return "", err
	}
	home := filepath.Join(d.cache, string(version))
	if _, err := os.Stat(filepath.Join(home, "bin", "postgres")); err == nil {
		return filepath.Join(home, "bin"), nil
	}
	if err := os.MkdirAll(d.cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	tmp, err := os.MkdirTemp(d.cache, "unpack-")
	if err != nil {
		return "", fmt.Errorf("make a folder in the cache: %w", err)
	}
	unpacked := filepath.Join(tmp, "postgres")
	err = d.unpack(ctx, version, tmp, unpacked)
	if err == nil {
		err = publish(unpacked, home)
	}
	if err := errors.Join(err, os.RemoveAll(tmp)); err != nil {
		return "", err
	}
	return filepath.Join(home, "bin"), nil
}

func pick(major int) (embedded.PostgresVersion, error) {
	for _, d := range downloads {
		if major == 0 || d.major == major {
			return d.version, nil
		}
	}
	return "", fmt.Errorf("version %d is not among the downloads", major)
}

func (d downloader) unpack(ctx context.Context, version embedded.PostgresVersion, tmp, to string) error {
	decoy := filepath.Join(tmp, "decoy")
	if err := os.Mkdir(decoy, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(decoy, "PG_VERSION"), []byte(version[:2]), 0o600); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	config := embedded.DefaultConfig()
	if d.repository != "" {
		config = config.BinaryRepositoryURL(d.repository)
	}
	db := embedded.NewDatabase(config.
		Version(version).Port(uint32(port)).
		CachePath(d.cache).RuntimePath(filepath.Join(tmp, "run")).
		BinariesPath(to).DataPath(decoy).
		StartTimeout(time.Second).Logger(io.Discard))
	// The library takes no context. A download that is given up goes on until
	// the program ends, into a folder that nobody looks at.
	started := make(chan error, 1)
	go func() { started <- db.Start() }()
	select {
	case err = <-started:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err == nil {
		return errors.Join(errors.New("it started a server on nothing"), db.Stop())
	}
	// This is the failure that was asked for; another is one of the download.
	if strings.HasPrefix(err.Error(), "could not start postgres") {
		return nil
	}
	return err
}

// publish moves the binaries to their place, readable by the server's user. If
// another process was first, its copy stays.
func publish(unpacked, home string) error {
	err := filepath.WalkDir(unpacked, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		return fmt.Errorf("let everyone read the binaries: %w", err)
	}
	err = os.Rename(unpacked, home)
	if err != nil {
		if _, there := os.Stat(filepath.Join(home, "bin", "postgres")); there == nil {
			return nil
		}
	}
	return err
}

// cacheDir is where downloads go unless Config says otherwise.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/realtime-gw/postgres", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache: %w", err)
	}
	return filepath.Join(dir, "realtime-gw", "postgres"), nil
}
