package gateway

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// deadlined is a connection that notes until when it may be written to.
type deadlined struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.until = append(d.until, t)
	return nil
}

// A stream's reader has its time anew for each piece, however many a batch has.
func TestASlowReaderOfAStreamIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		s := &stream{unread: newUnread(d, streamUnread)}
		for range 3 {
			_, _ = s.Write([]byte("a piece"))
			if got := time.Until(d.until[len(d.until)-1]); got != streamUnread {
				t.Errorf("it has %v", got)
			}
			time.Sleep(streamUnread - time.Second)
		}
		if s.Flush(); !d.Flushed || len(d.until) != 4 {
			t.Errorf("flushed %v, %d deadlines", d.Flushed, len(d.until))
		}
	})
}
