package feeds

import (
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// FoundRun is the feed of a run that was found in the environment when its reader started,
// as the place shows that it has come to; or nil, if the place does not show that. Then the
// run has to be looked up.
//
// It is safe because of what the code in a handle covers, and of when handles are made. The
// code is one of this installation's key over the fingerprint of the feed, in which are the
// environment, the row's id, and that the run's friendly id is made of it (Run, and not
// OldRun). A feed gets its first handle only when the run was found there, by that friendly
// id. None of the three ever changes: neither the platform nor this program writes them
// again once the row is made. So what a valid handle says was true, and is, or the row is
// deleted, and then there is nothing to see.
//
// It does not show who may see the run: that is in the credential of each request, and its
// scopes are to be checked each time. What the scopes name other than the run (tags change)
// has to be looked up.
func (s *Service) FoundRun(environmentID string, id runid.Friendly, skip []string, p Place) *Feed {
	if p.Starts() || id.Kind() != runid.Run {
		return nil
	}
	row := id.Suffix()
	shown := func(f *Feed) bool {
		_, err := s.at(f, p)
		return err == nil
	}
	// A feed that was not found is not remembered: anybody can ask for those.
	f, err := s.known.get(keyOf("run", environmentID, 0, skip, []string{row}), func() (*Feed, error) {
		if f := makeRun("run", environmentID, row, skip); shown(f) {
			return f, nil
		}
		return nil, errNotShown
	})
	if err != nil || !shown(f) {
		return nil
	}
	return f
}

var errNotShown = errors.New("the place does not show that the run was found")
