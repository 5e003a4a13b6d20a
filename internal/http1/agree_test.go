package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
)

// readAll is what one answer comes to, and what it leaves unread, if read reads its head.
func readAll(wire []byte, r *http.Request, read func(*bufio.Reader, *http.Request) (*http.Response, error)) (a answer, rest string, err error) {
	in := bufio.NewReaderSize(bytes.NewReader(wire), bufferSize)
	for {
		a.resp, err = read(in, r)
		if err != nil || a.resp.StatusCode < 100 || a.resp.StatusCode > 199 {
			break
		}
		if a.resp.StatusCode == http.StatusSwitchingProtocols {
			return a, "", errSwitched
		}
	}
	if err != nil {
		return a, "", err
	}
	body, err := io.ReadAll(a.resp.Body)
	a.body, a.err = string(body), err
	left, err := io.ReadAll(in)
	return a, string(left), err
}

// here reads a head as a conn does.
func here(in *bufio.Reader, r *http.Request) (*http.Response, error) { return (&conn{in: in}).head(r) }

// differs says where an answer is here not what http.ReadResponse alone makes of it.
func differs(wire []byte, r *http.Request) string {
	got, gotRest, gotErr := readAll(wire, r, here)
	want, wantRest, wantErr := readAll(wire, r, http.ReadResponse)
	if wantErr != nil || gotErr != nil {
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			return fmt.Sprintf("%q: %v, net/http's: %v", wire, gotErr, wantErr)
		}
		return ""
	}
	if !sameResponse(got.resp, want.resp) || got.body != want.body || fmt.Sprint(got.err) != fmt.Sprint(want.err) || gotRest != wantRest ||
		(got.resp.Body == http.NoBody) != (want.resp.Body == http.NoBody) {
		return fmt.Sprintf("%q:\n%+v\n%q, %v, unread: %q\nnet/http's:\n%+v\n%q, %v, unread: %q", wire, got.resp, got.body, got.err, gotRest, want.resp, want.body, want.err, wantRest)
	}
	return ""
}

// sameResponse compares all that an answer says but its body.
func sameResponse(a, b *http.Response) bool {
	mine, theirs := *a, *b
	mine.Body, theirs.Body = nil, nil
	return reflect.DeepEqual(mine, theirs)
}
