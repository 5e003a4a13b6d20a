// Package metrics counts what the program does, for Prometheus.
//
// One Metrics is made by whoever puts the program together. Packages that do things
// know nothing of it: they take a callback or a small interface of their own, or count
// for themselves and are looked at when somebody asks (Watch). So nothing below imports
// Prometheus.
//
//	m := metrics.New()
//	handler, err := gateway.New(gateway.Config{Observer: m, ...})
//	m.WatchFlights(flights.Stats)
//	http.Handle("/metrics", m.Handler())
//
// Labels have few values, which are fixed when the program is built or configured: a
// route's pattern, a table, an outcome, an upstream's number. Nothing of a request's
// own ever is one: no id, no tag, no environment. The child of each label is made
// before it is needed, with the value zero, so that counting is an addition, and that
// an alarm sees the first failure.
//
// docs/metrics.md says what each means and what to be alarmed by; a test holds it to
// what is registered here.
package metrics
