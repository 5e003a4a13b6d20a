package electric

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// change is a row at lsn/op of the log.
func change(lsn, op int) string {
	return fmt.Sprintf(`{"key":"%d/%d","value":{"id":"x"},"headers":{"operation":"insert","lsn":"%d","op_position":%d}}`, lsn, op, lsn, op)
}

const caughtUp = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"9"}}`

// Electric 1.7.12 under a burst: a live answer names the end of a chunk, and the
// row that filled the chunk is not in it. Read again from the last row that came,
// it is there. No reader of the flight may miss it, or be told that all is there.
func TestARowThatElectricSkips(t *testing.T) {
	for name, end := range map[string]string{"up to date": "," + caughtUp, "not up to date": ""} {
		var asked []string
		client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			asked = append(asked, q.Get("offset")+" "+q.Get("live"))
			header(w, "123-456", "9_2")
			switch q.Get("offset") {
			case "7_2":
				_, _ = io.WriteString(w, "["+change(8, 0)+","+change(9, 0)+end+"]")
			case "9_0":
				_, _ = io.WriteString(w, "["+change(9, 2)+","+caughtUp+"]")
			default:
				_, _ = io.WriteString(w, "["+caughtUp+"]")
			}
		})
		group := flight.New(flight.Config{Source: client, CompleteWithin: time.Minute})
		ticket := group.Join(def, place)
		<-ticket.Landed()
		news, err := ticket.Result()
		ticket.Leave()
		group.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := change(8, 0) + "," + change(9, 0) + "," + change(9, 2); string(news.Rows) != want || !news.UpToDate {
			t.Errorf("%s: up to date %v, rows\n%s\nwant\n%s", name, news.UpToDate, news.Rows, want)
		}
		if news.Next.Offset != shapes.LogOffset(9, 2) || client.Repairs() != 1 {
			t.Errorf("%s: goes on at %s, %d repairs, asked %q", name, news.Next.Offset, client.Repairs(), asked)
		}
	}
}

// It was the only row of its answer: then what is behind the old place is read, and
// that is the answer.
func TestTheOnlyRowIsSkipped(t *testing.T) {
	var asked []string
	client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("offset")+" "+q.Get("live"))
		header(w, "123-456", "9_2")
		if q.Get("live") == "true" {
			_, _ = io.WriteString(w, "["+caughtUp+"]")
			return
		}
		_, _ = io.WriteString(w, "["+change(9, 2)+","+caughtUp+"]")
	})
	news, err := client.Wait(t.Context(), def, place)
	if err != nil || string(news.Rows) != change(9, 2) || !news.UpToDate || news.Next.Offset != shapes.LogOffset(9, 2) || client.Repairs() != 1 {
		t.Errorf("%+v, %v, %d repairs, asked %q", news, err, client.Repairs(), asked)
	}
}

// Rows that lie behind the reader are not the reader's.
func TestRowsThatGoBack(t *testing.T) {
	for _, row := range []string{change(3, 0), change(7, 2)} {
		client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			header(w, "123-456", "9_2")
			_, _ = io.WriteString(w, "["+row+","+caughtUp+"]")
		})
		var fault *shapes.Unavailable
		if news, err := client.Wait(t.Context(), def, place); !errors.As(err, &fault) || !strings.Contains(err.Error(), "at offset 7_2") {
			t.Errorf("%s: %+v, %v", row, news, err)
		}
	}
}

// An answer that is as it should be is left alone.
func TestNothingToRepair(t *testing.T) {
	for body, offset := range map[string]string{
		"[" + change(9, 2) + "," + caughtUp + "]": "9_2",
		"[" + caughtUp + "]":                      "9_2",
		`[{"key":"k","value":{},"headers":{"operation":"insert"}},` + caughtUp + "]": "9_2", // of a compacted log
		"[" + change(9, 2) + `,{"headers":{"control":"up-to-date"}}]`:                "9_2",
		"[" + change(9, 4) + "," + caughtUp + "]":                                    "9_2", // beyond what is named
	} {
		client := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			header(w, "123-456", offset)
			_, _ = io.WriteString(w, body)
		})
		news, err := client.Wait(t.Context(), def, place)
		if err != nil || !news.UpToDate || news.Next.Offset != shapes.LogOffset(9, 2) || client.Repairs() != 0 {
			t.Errorf("%s: %+v, %v, %d repairs", body, news, err, client.Repairs())
		}
	}
}
