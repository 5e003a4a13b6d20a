package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/gateway"
)

// mostShapes is how many shapes one feed may have on each side, whenever its clients joined
// within a day: one for each hour, and the one that the day began in.
const mostShapes = 25

// day counts the shapes of one feed whose clients join all day long.
func (l *lab) day(ctx context.Context) error {
	clocked, err := l.play(ctx, "clocked", l.assembledEnv()...)
	if err != nil {
		return err
	}
	f, err := l.feed(ctx)
	if err != nil {
		return err
	}
	n := min(24*60, l.most)
	c := newCrowd(ctx, n)
	defer c.disperse()
	rows := [][]string{{"simulated hours", "clients that wait", "shapes for each side", "polls for each side"}}
	var shapes float64
	for i := range n {
		hour := i * 24 / n
		if err := post(c.ctx, fmt.Sprintf("http://%s/clock?ahead=%s", clocked.metrics, 24*time.Hour*time.Duration(i)/time.Duration(n)), nil); err != nil {
			return err
		}
		if err := c.add(target{clocked.addr, "/realtime/v1/runs?tags=" + f.tag + "&", l.demo.APIKey}, i); err != nil {
			return err
		}
		if next := (i + 1) * 24 / n; next == hour || next%8 != 0 {
			continue
		}
		if err := clocked.holds(c.ctx, i+1); err != nil {
			return err
		}
		now, err := clocked.look(c.ctx)
		if err != nil {
			return err
		}
		shapes = now["realtime_gw_flight_shapes"] / 2
		rows = append(rows, []string{fmt.Sprint((i + 1) * 24 / n), fmt.Sprint(i + 1), digits(shapes), digits(now["realtime_gw_flights"] / 2)})
	}
	l.say("A tag feed of 24 hours over both tables; one client after another joins, evenly over a day of the gateway's clock, and all stay.\n\n%s\n", table(rows))
	l.hold(bound{what: "shapes for each side after a day", got: shapes, limit: mostShapes})
	return nil
}

// playClocked is a gateway whose clock can be put forward.
func playClocked() error {
	a, err := assemble(context.Background())
	if err != nil {
		return err
	}
	var ahead atomic.Int64
	handler, err := a.watched(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	if err != nil {
		return err
	}
	looks := newLooks(a.metrics)
	looks.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("ahead"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		ahead.Store(int64(d))
	})
	server := gateway.NewHTTPServer(gateway.ServerConfig{Handler: handler, Log: a.log})
	return serve(server.Serve, looks)
}
