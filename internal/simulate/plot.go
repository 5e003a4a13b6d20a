package simulate

import (
	"math/rand/v2"
	"time"
)

// plot is what becomes of one run, from its creation to its end.
func plot(r *rand.Rand) []beat {
	p := &plotter{r: r, beats: []beat{{do: create}}}
	switch n := r.IntN(100); {
	case n < 62:
		p.attempt(2+r.IntN(4), 0, 1)
		p.then(succeed, 100, 400)
	case n < 76:
		p.attempt(1+r.IntN(2), 0, 0.5)
		p.then(retry, 100, 300)
		p.then(requeue, 400, 900)
		p.attempt(1+r.IntN(2), 0.5, 1)
		if r.IntN(4) == 0 {
			p.then(fail, 100, 400)
		} else {
			p.then(succeed, 100, 400)
		}
	case n < 86:
		p.attempt(1+r.IntN(3), 0, 0.7)
		p.then(fail, 100, 400)
	case n < 91:
		p.then(cancel, 800, 2000)
	case n < 95:
		p.attempt(1+r.IntN(3), 0, 0.6)
		p.then(cancel, 100, 400)
	default:
		p.then(expire, 3000, 3000)
	}
	return p.beats
}

// plotter adds beats one after another.
type plotter struct {
	r     *rand.Rand
	now   time.Duration
	beats []beat
}

// then adds a beat that comes between so many milliseconds after the last.
func (p *plotter) then(do action, from, to int) *beat {
	p.now += millis(p.r, from, to)
	p.beats = append(p.beats, beat{at: p.now, do: do})
	return &p.beats[len(p.beats)-1]
}

// attempt takes the run off its queue and does its work from one part to
// another, in so many steps.
func (p *plotter) attempt(steps int, from, to float64) {
	p.then(lock, 150, 700)
	p.then(start, 50, 300)
	for i := range steps {
		if i == 1 && p.r.IntN(6) == 0 {
			p.then(pushTag, 20, 80)
		}
		p.then(progress, 300, 900).done = from + (to-from)*float64(i+1)/float64(steps)
	}
}
