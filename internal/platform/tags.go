package platform

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// addTags answers POST /v1/runs/{run}/tags: tags behind those that the run has.
func (p *platform) addTags(w http.ResponseWriter, r *http.Request) error {
	who, id, err := p.writeRun(r, p.enterWithKey)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxSmallBody, &issues)
	if err != nil {
		return err
	}
	body.required("tags", "string or array")
	tags := slices.DeleteFunc(body.texts("tags", trigger.MaxTag), func(tag string) bool { return tag == "" })
	if err := refused(issues); err != nil {
		return err
	}
	run, err := p.findRun(r, who, id)
	if err != nil {
		return changeError(err)
	}
	added := 0
	// Nobody else adds to what is found here before it is added to.
	err = p.config.Store.WithLocked(r.Context(), run.Key(), func(in *runstore.Store, run runstore.Run) error {
		var fresh []string
		for _, tag := range tags {
			if !slices.Contains(run.Tags, tag) && !slices.Contains(fresh, tag) {
				fresh = append(fresh, tag)
			}
		}
		if all := len(run.Tags) + len(fresh); all > trigger.MaxTags {
			return tooManyTags(all)
		}
		if added = len(fresh); added == 0 {
			return nil
		}
		_, err := in.PushTags(r.Context(), run.Key(), fresh)
		return err
	})
	if err != nil {
		return changeError(err)
	}
	message := "No new tags to add"
	if added > 0 {
		message = fmt.Sprintf("Successfully set %d new tags.", added)
	}
	return answer(w, struct {
		Message string `json:"message"`
	}{message})
}
