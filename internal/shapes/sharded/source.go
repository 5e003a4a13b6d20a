package sharded

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Source asks one of several Sources. It is safe for concurrent use.
type Source struct{ shards []shapes.Patient }

var _ shapes.Patient = (*Source)(nil)

// New makes a Source over these, in this order. It fails only without any.
func New(shards ...shapes.Patient) (*Source, error) {
	if len(shards) == 0 {
		return nil, errors.New("sharded: there are no sources to share shapes among")
	}
	return &Source{shards}, nil
}

// Read is shapes.Source's.
func (s *Source) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return s.of(def).Read(ctx, def, pos)
}

// Wait is shapes.Source's.
func (s *Source) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	return s.of(def).Wait(ctx, def, pos)
}

// Once is shapes.Patient's.
func (s *Source) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return s.of(def).Once(ctx, def, pos)
}

// Down is shapes.Patient's.
func (s *Source) Down(def *shapes.Definition) error { return s.of(def).Down(def) }

func (s *Source) of(def *shapes.Definition) shapes.Patient {
	if len(s.shards) == 1 {
		return s.shards[0]
	}
	sum := sha256.Sum256([]byte(def.Query()))
	return s.shards[jump(binary.BigEndian.Uint64(sum[:8]), len(s.shards))]
}

// jump gives the bucket of a key, one of n, which is one or more. Of the keys in n
// buckets, one in n+1 moves when there is another, and only to that.
func jump(key uint64, n int) int {
	bucket, next := int64(-1), int64(0)
	for next < int64(n) {
		bucket = next
		key = key*2862933555777941757 + 1
		next = int64(float64(bucket+1) * (float64(1<<31) / float64(key>>33+1)))
	}
	return int(bucket)
}
