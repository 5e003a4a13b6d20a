package runstore_test

import (
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// newRun is a run to be made where its organization's flag says, with little that tells
// it from others, and now and then something that is taken or missing.
func (m *machine) newRun(t *rapid.T) runstore.NewRun {
	r := some[runstore.NewRun](t, "run")
	r.EnvironmentID = m.env(t)
	table := m.tableOf(r.EnvironmentID)
	r.ID, r.FriendlyID, r.ProjectID, r.OrganizationID = m.id(t, table), "", "project", m.organization(r.EnvironmentID)
	r.EnvironmentType = oneOf(t, "environment's type", "", "PRODUCTION", "DEVELOPMENT")
	r.TaskIdentifier, r.Payload, r.Tags = task(t), word(t, "payload"), some[[]string](t, "tags")
	r.Status = oneOf(t, "status", "", runstore.PendingVersion, runstore.Delayed, runstore.WaitingForDeploy)
	r.IdempotencyKey = maybe(t, "key", idempotencyKeys[:2]...)
	r.OneTimeUseToken = m.tokenOrNone(t)
	r.BatchID, r.ParentRunID, r.RootRunID = m.batchPointer(t), m.pointer(t, "parent"), m.pointer(t, "root")
	if !rarely(t, "made when it was made") {
		r.CreatedAt = moment(t, "created at") // so that many are created at once, in both tables
	}
	if rarely(t, "unlike others") {
		switch is := m.naive.primary.in(table); between(t, "in what", 0, 3) {
		case 0:
			r.Status = "NONSENSE"
		case 1:
			*oneOf(t, "what is missing", &r.ID, &r.EnvironmentID, &r.ProjectID, &r.TaskIdentifier) = ""
		case 2:
			if len(is) > 0 {
				r.ID = oneOf(t, "id that is taken", is...).ID
			}
		case 3:
			if len(is) > 0 {
				r.FriendlyID = oneOf(t, "friendly id that is taken", is...).FriendlyID
			}
		}
	}
	return r
}

// newBatch is a batch to be made, now and then with something that is taken or missing.
func (m *machine) newBatch(t *rapid.T) runstore.NewBatch {
	b := some[runstore.NewBatch](t, "batch")
	b.ID, b.EnvironmentID, b.RunIDs = m.mint.Mint(runid.Legacy), m.env(t), m.someNames(t)
	b.IdempotencyKey = maybe(t, "key", idempotencyKeys[:2]...)
	b.OneTimeUseToken = m.tokenOrNone(t)
	if rarely(t, "unlike others") {
		*oneOf(t, "what is missing", &b.ID, &b.EnvironmentID) = ""
	} else if is := m.naive.primary.batches; len(is) > 0 && rarely(t, "taken") {
		b.ID = oneOf(t, "id that is taken", is...).ID
	}
	return b
}
