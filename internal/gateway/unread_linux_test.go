package gateway

import (
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// Without any deadline the system ends a connection whose peer takes nothing.
func TestWhoTakesNothingOfAConnectionIsCut(t *testing.T) {
	ended := make(chan error, 1)
	addr := serve(t, ServerConfig{Unread: 50 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20)) // more than any system takes for a peer
		ended <- err
	})})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	askPiped(conn)
	if err := <-ended; !errors.Is(err, syscall.ETIMEDOUT) {
		t.Error(err)
	}
}
