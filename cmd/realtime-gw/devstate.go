package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
)

// devState is what dev tells programs about itself, as dev.json in its
// directory. It holds secrets of a database that only this machine reaches.
type devState struct {
	URL            string `json:"url"`
	DatabaseURL    string `json:"databaseUrl"`
	APIKey         string `json:"apiKey"`
	EnvironmentID  string `json:"environmentId"`
	OrganizationID string `json:"organizationId"`
	PublicToken    string `json:"publicToken"`
	// What can be followed; empty without a simulation.
	Tag     string `json:"tag,omitempty"`
	RunID   string `json:"runId,omitempty"`
	V2RunID string `json:"v2RunId,omitempty"`
	BatchID string `json:"batchId,omitempty"`
}

func devStatePath(dir string) string { return filepath.Join(dir, "dev.json") }

func readDevState(dir string) (devState, error) {
	var s devState
	b, err := os.ReadFile(devStatePath(dir))
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

// write replaces dev.json at once, so that whoever waits for it never reads a
// part of it.
func (s devState) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	part := devStatePath(dir) + ".part"
	if err := os.WriteFile(part, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(part, devStatePath(dir))
}

// devCursorKey is the key of this directory, made at the first start: cursors
// stay good over restarts.
func devCursorKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "cursor.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, cursor.MinKey)
		_, _ = rand.Read(key) // never fails
		return key, os.WriteFile(path, []byte(hex.EncodeToString(key)), 0o600)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(text))
	if err != nil || len(key) < cursor.MinKey {
		return nil, fmt.Errorf("%s does not hold a key: delete it, and clients start over", path)
	}
	return key, nil
}
