package trigger

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Flags says where an organization's new runs go. It is asked for every trigger,
// and answers from memory.
type Flags interface {
	RunTableV2(organizationID string) bool
}

// Config is what a Service works with.
type Config struct {
	// Store holds the runs. Required.
	Store *runstore.Store

	// Flags says which table new runs go to. Required.
	Flags Flags

	// Claims serialises triggers with the same idempotency key or one-time-use
	// token. Default: those of this process alone.
	Claims claims.Claims

	// ClaimWait is how long a trigger waits for another that has claimed the same
	// key or token. Default: 5 s, as on the platform.
	ClaimWait time.Duration

	// Minter makes ids. Default: a new one.
	Minter *runid.Minter

	// Now is the clock by which keys expire. Default: time.Now.
	Now func() time.Time

	// Log gets the warnings.
	Log zerolog.Logger
}

// Service makes runs and changes them. It is safe for concurrent use.
type Service struct {
	store  *runstore.Store
	flags  Flags
	claims claims.Claims
	minter *runid.Minter
	wait   time.Duration
	now    func() time.Time
	faults faults
	log    zerolog.Logger
}

// New makes a Service.
func New(c Config) (*Service, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("trigger: Config.Store is nil: give the store of runs")
	case c.Flags == nil:
		return nil, errors.New("trigger: Config.Flags is nil: give the organizations' flags")
	}
	if c.Claims == nil {
		c.Claims = &claims.Memory{}
	}
	if c.ClaimWait <= 0 {
		c.ClaimWait = 5 * time.Second
	}
	if c.Minter == nil {
		c.Minter = runid.NewMinter(runid.MinterConfig{})
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{store: c.Store, flags: c.Flags, claims: c.Claims, minter: c.Minter, wait: c.ClaimWait, now: c.Now, faults: faults{log: c.Log}, log: c.Log}, nil
}

// NewID makes the id of a new run of an organization. It is the one place where
// that is done, and so where the flag is looked at.
func (s *Service) NewID(organizationID string) string {
	table := runid.Legacy
	if s.flags.RunTableV2(organizationID) {
		table = runid.V2
	}
	return s.minter.Mint(table)
}
