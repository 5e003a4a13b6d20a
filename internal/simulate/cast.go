package simulate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Tag is on runs of both tables at any moment.
const Tag = "demo"

// tasks are what the runs are of, and what each says it is doing.
var tasks = []struct {
	name  string
	steps []string
}{
	{"resize-image", []string{"downloading", "resizing", "optimizing", "uploading"}},
	{"send-digest", []string{"collecting", "rendering", "sending"}},
	{"sync-crm", []string{"listing contacts", "comparing", "writing back"}},
	{"render-video", []string{"decoding", "compositing", "encoding", "uploading"}},
	{"summarize-document", []string{"reading", "splitting", "summarizing", "writing"}},
}

var plans = []string{"free", "pro", "enterprise"}

// cast adds a role to the story and gives its number. A child is its parent's
// user's.
func (s *story) cast(r *rand.Rand, table runid.Table, parent int) int {
	c := role{table: table, parent: parent, task: tasks[r.IntN(len(tasks))].name, user: 1 + r.IntN(20), plan: plans[r.IntN(len(plans))]}
	if parent >= 0 {
		c.user, c.plan = s.roles[parent].user, s.roles[parent].plan
	}
	c.tags = []string{fmt.Sprintf("user_%d", c.user), "plan:" + c.plan}
	if r.IntN(3) == 0 {
		c.tags = append(c.tags, Tag)
	}
	s.roles = append(s.roles, c)
	return len(s.roles) - 1
}

// doing is what a run of a task does when so much of its work is done.
func doing(task string, done float64) string {
	for _, t := range tasks {
		if t.name == task {
			return t.steps[min(int(done*float64(len(t.steps))), len(t.steps)-1)]
		}
	}
	return "working"
}

// The values of a run, as its task would have made them.

func payload(c role) string {
	return object(map[string]any{"userId": c.user, "plan": c.plan, "task": c.task})
}

func metadata(task string, done float64) string {
	return object(map[string]any{"progress": int(done*100 + 0.5), "step": doing(task, done)})
}

func output(c role, attempts int32) string {
	return object(map[string]any{"ok": true, "userId": c.user, "attempts": attempts})
}

func object(v map[string]any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("simulate: texts and numbers are JSON: " + err.Error())
	}
	return string(b)
}
