package electric

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// A refusal is kept up to a length. Wherever that cuts through the secret or a value,
// in whatever form, no part of it is left over; and what is cut is cut no shorter.
func TestTheCutOfARefusalLeavesNoPartOfAValue(t *testing.T) {
	const secret, tag = `sesame open&close "now"`, "customer-4711 <a@b.example>"
	def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.ContainsAll("runTags", []string{tag}))
	client, err := New(Config{Origin: "http://electric:3000", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(values(def), bound{secret, "secret"}) {
		for _, form := range forms([]bound{b}) {
			for inside := range len(form.value) + 1 { // so many bytes of it are before the cut
				text := strings.Repeat(".", maxError-inside) + form.value + " and more"
				refused := client.concealed(&shapes.Refused{Status: 400, Body: text[:maxError+1]}, def).(*shapes.Refused)
				name := ""
				if inside == len(form.value) {
					name = b.name
				}
				if want := strings.Repeat(".", maxError-inside) + name + "..."; refused.Body != want {
					t.Fatalf("%q cut after %d bytes: ...%s", form.value, inside, refused.Body[max(0, maxError-40):])
				}
			}
		}
	}
}

// What an answer that is no HTTP says, or one that is no Electric's, is not repeated:
// it may be anything. The error still says what was wrong, and on which side.
func TestFaultsDoNotQuoteTheUpstream(t *testing.T) {
	const private = "a-row-of-somebody"
	for name, c := range map[string]struct{ wire, want string }{
		"no HTTP":        {private + " 200 OK\r\n\r\n", "malformed HTTP"},
		"a status":       {"HTTP/1.1 " + private + "\r\n\r\n", "malformed HTTP status code"},
		"a version":      {"HTTP/" + private + " 200 OK\r\n\r\n", "malformed HTTP version"},
		"an encoding":    {"HTTP/1.1 200 OK\r\ntransfer-encoding: " + private + "\r\n\r\n", "unsupported transfer encoding"},
		"a length":       {"HTTP/1.1 200 OK\r\ncontent-length: " + private + "\r\n\r\n", "bad Content-Length"},
		"a header":       {"HTTP/1.1 200 OK\r\n" + private + "\r\n\r\n", "malformed MIME header"},
		"an offset":      {answerHead("electric-offset: " + private), "is no offset"},
		"a handle":       {answerHead("electric-handle: " + strings.Repeat(private, 20)), "electric-handle"},
		"a content type": {answerHead("content-type: text/" + private), "application/json"},
		"a schema":       {answerHead("electric-schema: " + private), "electric-schema"},
		"a body":         {answerHead("") + private, "begins with"},
	} {
		for _, table := range []shapes.Table{shapes.LegacyTable, shapes.V2Table} {
			server := newScripted(t)
			server.script <- reply{wire: []byte(c.wire), hangUp: true}
			q := question{def: shapes.Define(table, []string{"id"}), pos: place}
			_, err := ask(t, server.client(t, secret), q)
			server.close()
			if err == nil || strings.Contains(err.Error(), private) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), table.Side()) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// answerHead is the head of a good answer to a read at place, in which a header is
// another.
func answerHead(other string) string {
	name, _, _ := strings.Cut(other, ":")
	head := "HTTP/1.1 200 OK\r\n"
	for _, h := range []string{"content-type: application/json", "electric-handle: " + place.Handle, "electric-offset: 9_0", "electric-schema: {}"} {
		if own, _, _ := strings.Cut(h, ":"); own == name {
			h = other
		}
		head += h + "\r\n"
	}
	return head + "\r\n"
}

// A body that is encoded is not repeated: whoever decodes it may read the secret.
func TestAnEncodedRefusalIsNotRepeated(t *testing.T) {
	client := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-encoding", "gzip")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "\x1f\x8bPACKED")
	})
	_, err := client.Wait(t.Context(), def, place)
	if err == nil || strings.Contains(fmt.Sprint(err), "PACKED") {
		t.Errorf("got %v", err)
	}
}
