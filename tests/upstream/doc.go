// Package upstream is a shape server that misbehaves on cue. It has no shapes of its
// own: a Front stands before a real server, on a port of its own, and passes on what
// it is asked, until a test tells it otherwise. So what a client sees is what Electric
// would say, but for the fault that the test is about.
//
//	front := upstream.New(t, transport, "http://behind")
//	front.Instead(func(w http.ResponseWriter, r *http.Request) bool { ... })
//	front.Edit(upstream.NotUpToDate)
//	front.Stop()
//	front.Start()
//
// Stop and Start are a restart that keeps handles and logs, as Electric's does:
// connections are cut, held polls with them, and nobody answers at the address until
// it is started again. What Electric says wrongly then, and under load, is there as
// edits of its answers (edit.go) and as Behind.
package upstream
