package browser

import "testing"

// scenario is something that the hooks must come through.
type scenario struct {
	name string
	run  func(t *testing.T)
}

func scenarios() []scenario {
	return []scenario{
		{"snapshot", snapshot},
		{"live", live},
		{"hidden and shown again", hidden},
		{"left and come back to", left},
		{"gateway killed under the page", restart},
		{"gateway killed while hidden", restartHidden},
		{"reload", reload},
		{"TRUNCATE", truncate},
		{"two tabs", twoTabs},
		{"refused", refusedFeeds},
	}
}

// TestHooks runs every scenario with a stack and a browser of its own, and says
// how it went.
func TestHooks(t *testing.T) {
	results := newTable()
	t.Cleanup(func() { // when all that run side by side are over
		if err := results.publish(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { // last: all processes have ended by now
				results.set(s.name, map[bool]string{true: "FAILED", false: "ok"}[t.Failed()])
			})
			s.run(t)
		})
	}
}
