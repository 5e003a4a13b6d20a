package gateway

import (
	"net/http"
	"time"
)

// unreadBytes is how much is written at once. What a system takes of it without a
// reader is not bounded here.
const unreadBytes = 128 << 10

// unread writes for a reader who may take nothing: each piece has its time anew, and one
// that nobody takes within it is the last. One that is slow is not one that takes nothing.
type unread struct {
	w       http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
	conn    *strictConn // which gathers; nil: it does not
}

func newUnread(w http.ResponseWriter, within time.Duration) *unread {
	return &unread{w: w, control: http.NewResponseController(w), within: within}
}

// gather has a connection, unless it is nil, gather what is written. Until end has been
// called a Flush may leave some behind.
func (u *unread) gather(conn *strictConn) {
	if u.conn = conn; conn != nil {
		conn.gather()
	}
}

// Write implements io.Writer.
func (u *unread) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		u.begin()
		var wrote int
		wrote, err = u.w.Write(p[:min(len(p), unreadBytes)])
		n, p = n+wrote, p[wrote:]
	}
	return n, err
}

// Flush sends what was written. Whoever has gone is noticed by the next Write.
func (u *unread) Flush() {
	u.begin()
	_ = u.control.Flush()
}

// begin gives the reader its time anew. Where there are no deadlines nothing is cut.
func (u *unread) begin() { _ = u.control.SetWriteDeadline(time.Now().Add(u.within)) }

// end sends the last of an answer, which has its time as any piece has.
func (u *unread) end() error {
	u.begin()
	err := u.control.Flush()
	if u.conn != nil && err == nil {
		err = u.conn.ungather()
	}
	return err
}

// over takes the deadline away from the connection, which may have more to do: but not
// behind an answer that was gathered and has no end.
func (u *unread) over() {
	if u.conn != nil {
		u.conn.cutOff()
	}
	_ = u.control.SetWriteDeadline(time.Time{})
}
