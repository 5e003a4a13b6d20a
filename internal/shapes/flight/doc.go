// Package flight lets many readers share one call to a shapes.Source.
//
// A flight is a held call at one position of one shape. Everybody who waits
// there holds a Ticket for it; when the call brings news the flight lands, and
// all its tickets have the same News. So the upstream sees one poll for each
// position that anybody waits at, however many wait.
//
//	g := flight.New(flight.Config{Source: client})
//	ticket := g.Join(def, pos)
//	defer ticket.Leave()
//	select {
//	case <-ticket.Landed():
//		news, err := ticket.Result()
//	case <-timeout:
//	}
//
// A flight is keyed by the definition's query, the handle and the offset. The
// definition holds everything that authorization depends on (the environment is
// a condition of every feed), so two readers share bytes only where both may
// see them.
//
// The call's context is the flight's own. An upstream time-out without news
// renews the call and answers nobody. When the last ticket is given back the
// call stays open for a few seconds more, so that a client between two polls
// finds it warm. A live answer that is not up to date, which Electric gives when
// a transaction is larger than its log chunk, is completed by reading on before
// the flight lands, within bounds.
//
// Reads that are not held are not shared: Group passes them through. Nor is
// anything asked again here: a Source that is patient (package steady) does so, and
// a flight over it lands with a fault only when it is closed.
package flight
