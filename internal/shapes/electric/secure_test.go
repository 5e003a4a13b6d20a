package electric

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// An https origin is asked through TLS, and its connection is kept as well.
func TestAnOriginBehindTLS(t *testing.T) {
	peers := map[string]bool{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			t.Error("asked without TLS")
		}
		peers[r.RemoteAddr] = true
		header(w, "123-456", "9_0")
		io.WriteString(w, `[{"headers":{"control":"up-to-date"}}]`)
	}))
	transport := NewTransport()
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport.secure.TLSClientConfig = &tls.Config{RootCAs: roots}
	client, err := New(Config{Origin: server.URL, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if news, err := client.Wait(t.Context(), def, place); err != nil || !news.UpToDate {
			t.Fatalf("%+v, %v", news, err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("%d connections for 3 calls", len(peers))
	}
}
