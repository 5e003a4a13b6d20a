package memo_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/memo"
)

// remembered is one line of the model: an answer, when it was asked for, and
// when it was last used.
type remembered struct {
	key   string
	value int
	err   error
	asked time.Time
	used  int
}

// model is a Memo as simple as it can be: a list that is searched.
type model struct {
	lines []remembered
	most  int
	ticks int
}

// find uses a line, and takes those for the key off that are too old.
func (m *model) find(key string, now time.Time) *remembered {
	m.lines = slices.DeleteFunc(m.lines, func(l remembered) bool {
		life := valueTime
		if l.err != nil {
			life = absenceTime
		}
		return l.key == key && now.Sub(l.asked) >= life
	})
	for i := range m.lines {
		if m.lines[i].key == key {
			m.ticks++
			m.lines[i].used = m.ticks
			return &m.lines[i]
		}
	}
	return nil
}

// note puts an answer on its shelf, and if that is too full takes off what was
// used the longest ago.
func (m *model) note(line remembered) {
	var kept []remembered
	same, oldest := 0, -1
	for _, l := range m.lines {
		if (l.err == nil) == (line.err == nil) && l.key == line.key {
			continue // replaced
		}
		kept = append(kept, l)
	}
	for i, l := range kept {
		if (l.err == nil) != (line.err == nil) {
			continue
		}
		if same++; oldest < 0 || l.used < kept[oldest].used {
			oldest = i
		}
	}
	if same >= m.most {
		kept = append(kept[:oldest], kept[oldest+1:]...)
	}
	m.ticks++
	line.used = m.ticks
	kept = append(kept, line)
	m.lines = kept
}

// TestModel compares a Memo with the model: the same answers, and the same
// questions asked.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			key    string
			wait   time.Duration
			answer int // 0: absence, 1: failure, else a value
		}
		most := rapid.IntRange(1, 4).Draw(rt, "entries")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				key: rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "key"),
				wait: rapid.SampledFrom([]time.Duration{
					0, 0, 0, 1, absenceTime / 2, absenceTime - 1, absenceTime, valueTime / 2, valueTime - 1, valueTime,
				}).Draw(t, "wait"),
				answer: rapid.IntRange(0, 6).Draw(t, "answer"),
			}
		}), 1, 60).Draw(rt, "steps")
		var wrong string
		synctest.Test(t, func(t *testing.T) {
			wrong = ""
			m, model := memo.New[string, int](configOf(most)), &model{most: most}
			for i, s := range steps {
				time.Sleep(s.wait)
				now, asked := time.Now(), false
				var answer int
				var answerErr error
				switch s.answer {
				case 0:
					answerErr = errAbsent
				case 1:
					answerErr = errBroken
				default:
					answer = i + 1
				}
				got, err := m.Get(t.Context(), s.key, func(context.Context, string) (int, error) {
					asked = true
					return answer, answerErr
				})
				want, wantErr, wantAsked := answer, answerErr, true
				if l := model.find(s.key, now); l != nil {
					want, wantErr, wantAsked = l.value, l.err, false
				} else if answerErr != errBroken {
					model.note(remembered{key: s.key, value: answer, err: answerErr, asked: now})
				}
				if got != want || err != wantErr || asked != wantAsked {
					wrong = "another answer than the model's"
					rt.Logf("step %d: got %d, %v (asked: %v), want %d, %v (asked: %v)", i, got, err, asked, want, wantErr, wantAsked)
					return
				}
				if values, absences := m.Len(); values > most || absences > most {
					wrong = "more entries than allowed"
					return
				}
			}
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
