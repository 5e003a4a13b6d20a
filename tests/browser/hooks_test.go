package browser

import "testing"

// TestHooks runs every scenario with a stack and a browser of its own.
func TestHooks(t *testing.T) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T)
	}{
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
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t)
		})
	}
}
