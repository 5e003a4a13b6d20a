package shapes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// readAll drains a scanner into copies of the messages.
func readAll(s *Scanner) ([]Message, error) {
	var all []Message
	for {
		m, err := s.Next(1)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		m.Raw = bytes.Clone(m.Raw)
		all = append(all, m)
	}
}

var drawValue = rapid.Custom(func(t *rapid.T) any {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return `say "hi" \ {[ ` + rapid.String().Draw(t, "s")
	case 2:
		return map[string]any{"headers": "not these", "last": true, "]": rapid.String().Draw(t, "s")}
	default:
		return rapid.String().Draw(t, "s")
	}
})

// drawMessage gives a message as JSON, its members in random order.
func drawMessage(t *rapid.T) (raw string, last bool) {
	headers := [][2]string{{"operation", `"update"`}, {"lsn", `"77"`}, {"op_position", "4"}, {"relation", `["public","TaskRun"]`}}
	if last = rapid.Bool().Draw(t, "last"); last {
		headers = append(headers, [2]string{"last", "true"})
	}
	value, _ := json.Marshal(map[string]any{"a": drawValue.Draw(t, "a"), "headers": drawValue.Draw(t, "b")})
	fields := [][2]string{{"key", `"k"`}, {"value", string(value)}, {"headers", object(t, headers)}}
	for i := range rapid.IntRange(0, 6).Draw(t, "more") { // nested values beyond those that a message has
		fields = append(fields, [2]string{fmt.Sprint("more", i), `{"headers":{"last":true},"a":[[]]}`})
	}
	return object(t, fields), last
}

func object(t *rapid.T, fields [][2]string) string {
	space := rapid.SampledFrom([]string{"", " ", "\n\t"})
	var b strings.Builder
	for i, f := range rapid.Permutation(fields).Draw(t, "order") {
		if i > 0 {
			b.WriteString(space.Draw(t, "space") + ",")
		}
		fmt.Fprintf(&b, "%s%q%s:%s%s", space.Draw(t, "space"), f[0], space.Draw(t, "space"), space.Draw(t, "space"), f[1])
	}
	return "{" + b.String() + space.Draw(t, "space") + "}"
}

// Whatever the order of members, the white space and the pieces in which a
// body arrives, the scanner finds the messages that a JSON parser finds, and
// AppendTo takes out "last" and nothing else.
func TestScannerAgainstJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var raws []string
		var lasts []bool
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			raw, last := drawMessage(t)
			raws, lasts = append(raws, raw), append(lasts, last)
		}
		body := "[" + strings.Join(raws, " ,\n") + "] \n"
		var src io.Reader = strings.NewReader(body)
		if rapid.Bool().Draw(t, "slowly") {
			src = iotest.OneByteReader(src)
		}
		scanner := NewScanner(src)
		if rapid.Bool().Draw(t, "whole") {
			scanner = NewBytesScanner([]byte(body))
		}
		got, err := readAll(scanner)
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if len(got) != len(raws) {
			t.Fatalf("%d messages, want %d, in %s", len(got), len(raws), body)
		}
		for i, m := range got {
			if string(m.Raw) != raws[i] {
				t.Fatalf("message %d is %s, want %s", i, m.Raw, raws[i])
			}
			if m.Kind != Change || m.Position != LogOffset(77, 4) {
				t.Fatalf("message %d read as %+v", i, m)
			}
			var before, after map[string]map[string]any
			_ = json.Unmarshal([]byte(raws[i]), &before)
			cut := m.AppendTo(nil)
			if !lasts[i] && string(cut) != raws[i] {
				t.Fatalf("a message without last was changed to %s", cut)
			}
			delete(before["headers"], "last")
			if err := json.Unmarshal(cut, &after); err != nil && !isTypeError(err) {
				t.Fatalf("%v in %s", err, cut)
			}
			if !reflect.DeepEqual(before, after) {
				t.Fatalf("%s became %s", raws[i], cut)
			}
		}
	})
}

// isTypeError: "key" is a string, which the test's map has no place for.
func isTypeError(err error) bool {
	var typeError *json.UnmarshalTypeError
	return errors.As(err, &typeError)
}

func TestControlMessages(t *testing.T) {
	body := `[{"headers":{"control":"snapshot-end","xmin":"746","xmax":"747","xip_list":["746"]}},
	 {"key":"k","value":{},"headers":{"operation":"insert","relation":["public","TaskRun"]}},
	 {"headers":{"control":"must-refetch"}},{"headers":{"control":"something-new"}},
	 {"headers":{"control":"up-to-date","global_last_seen_lsn":"46050856"}},{"headers":{"control":"up\u002dto-date"}}]`
	got, err := readAll(NewBytesScanner([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	want := []Message{
		{Count: 1, Kind: ControlSnapshotEnd, Xmin: 746}, {Count: 1, Kind: Change}, {Count: 1, Kind: ControlMustRefetch}, {Count: 1, Kind: ControlOther},
		{Count: 1, Kind: ControlUpToDate, LSN: 46050856}, {Count: 1, Kind: ControlUpToDate},
	}
	for i := range got {
		got[i].Raw = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestScannerRefuses(t *testing.T) {
	change := `{"key":"k","value":{},"headers":{"operation":"insert"}}`
	for name, body := range map[string]string{
		"an object":           change,
		"text":                `Not found`,
		"no comma":            `[` + change + change + `]`,
		"trailing comma":      `[` + change + `,]`,
		"leading comma":       `[,` + change + `]`,
		"a number":            `[1]`,
		"something after":     `[` + change + `] x`,
		"wrong bracket":       `[{"headers":{"operation":"insert"]}}]`,
		"no headers":          `[{"key":"k"}]`,
		"headers not object":  `[{"headers":"x"}]`,
		"headers no op":       `[{"headers":{}}]`,
		"an event":            `[{"headers":{"event":"move-out"}}]`,
		"unknown operation":   `[{"headers":{"operation":"upsert"}}]`,
		"lsn not a number":    `[{"headers":{"operation":"insert","lsn":"0/1","op_position":0}}]`,
		"op not a number":     `[{"headers":{"operation":"insert","lsn":"1","op_position":"0"}}]`,
		"xmin missing":        `[{"headers":{"control":"snapshot-end"}}]`,
		"two last":            `[{"headers":{"last":true,"operation":"insert","last":true}}]`,
		"no colon":            `[{"headers" {"operation":"insert"}}]`,
		"no value":            `[{"a":,"headers":{"operation":"insert"}}]`,
		"name not a string":   `[{1:2,"headers":{"operation":"insert"}}]`,
		"bare word in object": `[{"headers":{"operation":"insert"} x}]`,
		"deep":                `[{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"headers":{"operation":"insert"}}]`,
	} {
		if got, err := readAll(NewScanner(strings.NewReader(body))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, and messages %v", name, err, got)
		}
	}
}

// A body that breaks off anywhere is never taken for a whole one.
func TestScannerNoticesATruncatedBody(t *testing.T) {
	body := `[{"key":"k\"","value":{"a":"b"},"headers":{"operation":"insert"}},{"headers":{"control":"up-to-date"}}]`
	for n := 1; n < len(body); n++ {
		for name, s := range map[string]*Scanner{
			"stream": NewScanner(strings.NewReader(body[:n])), "whole": NewBytesScanner([]byte(body[:n])),
		} {
			if _, err := readAll(s); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut to %s: %v", name, body[:n], err)
			}
		}
	}
	if got, err := readAll(NewScanner(strings.NewReader(""))); len(got) != 0 || err != nil {
		t.Errorf("an empty body gave %v, %v", got, err)
	}
}

// The end of a body is its end however often it is asked, and so is a fault; a
// reader that gives nothing and says nothing is one.
func TestScannerStaysAtItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		from io.Reader
		want error
	}{
		"an end":             {strings.NewReader(`[{"headers":{"operation":"insert"}}]`), io.EOF},
		"a fault":            {strings.NewReader(`[{"headers":{"operation":"insert"}},x]`), ErrMalformed},
		"a body broken off":  {strings.NewReader(`[{"headers":{"operation":"insert"}},`), io.ErrUnexpectedEOF},
		"a reader's fault":   {io.MultiReader(strings.NewReader(`[{"headers":{"operation":"insert"}},`), iotest.ErrReader(io.ErrClosedPipe)), io.ErrClosedPipe},
		"nothing, for ever":  {io.MultiReader(strings.NewReader(`[{"headers":{"operation":"insert"}},`), idle{}), io.ErrNoProgress},
		"no end of messages": {strings.NewReader(`[{"headers":{"operation":"insert"}}] {}`), ErrMalformed},
	} {
		s := NewScanner(c.from)
		if _, err := s.Next(1); err != nil {
			t.Errorf("%s: %v instead of a message", name, err)
		}
		for range 3 {
			if m, err := s.Next(1); !errors.Is(err, c.want) || m.Raw != nil {
				t.Errorf("%s: %s, %v; want %v", name, m.Raw, err, c.want)
			}
		}
	}
}

// idle gives nothing, and no reason.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestScannerBoundsAMessage(t *testing.T) {
	s := NewScanner(io.MultiReader(strings.NewReader(`[{"a":"`), endless{}))
	s.max = 1 << 20
	if _, err := s.Next(1); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
	if cap(s.buf) > 2<<20 {
		t.Errorf("the buffer grew to %d bytes", cap(s.buf))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestBatch(t *testing.T) {
	change := func(n int) string {
		return fmt.Sprintf(`{"headers":{"operation":"insert","lsn":"%d","op_position":0,"last":true}}`, n)
	}
	clean := func(n int) string {
		return fmt.Sprintf(`{"headers":{"operation":"insert","lsn":"%d","op_position":0}}`, n)
	}
	body := "[" + change(1) + "," + change(2) + `,{"headers":{"control":"snapshot-end","xmin":"9"}},{"headers":{"control":"up-to-date","global_last_seen_lsn":"5"}}]`
	var b Batch
	if whole, err := b.Fill(NewBytesScanner([]byte(body)), 1<<20); !whole || err != nil {
		t.Fatal(whole, err)
	}
	want := Batch{Rows: []byte(clean(1) + "," + clean(2)), Count: 2, Last: LogOffset(2, 0), UpToDate: true, LSN: 5, SnapshotEnded: true, Xmin: 9}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got  %+v\nwant %+v", b, want)
	}

	more := Batch{Rows: []byte(clean(3)), Count: 1, Last: LogOffset(3, 0), LSN: 4}
	b.Append(&more)
	want.Rows, want.Count, want.Last, want.UpToDate = []byte(clean(1)+","+clean(2)+","+clean(3)), 3, LogOffset(3, 0), false
	if !reflect.DeepEqual(b, want) {
		t.Errorf("after Append got  %+v\nwant %+v", b, want)
	}

	s := NewBytesScanner([]byte(body))
	var part Batch
	if whole, err := part.Fill(s, 1); whole || err != nil || part.Count != 1 {
		t.Errorf("a limit of one byte: whole %v, %v, %d messages", whole, err, part.Count)
	}
	if whole, err := part.Fill(s, 1<<20); !whole || err != nil || part.Count != 2 || !part.UpToDate {
		t.Errorf("the rest: whole %v, %v, %+v", whole, err, part)
	}

	var later Batch
	if _, err := later.Fill(NewBytesScanner([]byte(`[{"headers":{"control":"up-to-date"}},`+change(1)+"]")), 1<<20); err != nil || later.UpToDate {
		t.Errorf("a change after an up-to-date: up to date %v, %v", later.UpToDate, err)
	}

	for _, control := range []string{"must-refetch", "something-new"} {
		var b Batch
		if _, err := b.Fill(NewBytesScanner([]byte(`[{"headers":{"control":"`+control+`"}}]`)), 1); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s in a body: %v", control, err)
		}
	}
}

// order is a row as the platform's tables have them: two dozen columns, most of them
// short, and JSON in text, whose quotes are escaped.
const order = `{"key":"\"public\".\"TaskRun\"/\"cmf0cp1v2tloekx1089agnxzj\"","value":{"baseCostInCents":"0","completedAt":null,` +
	`"costInCents":"0","createdAt":"2026-08-21 07:49:04.148","delayUntil":"2026-08-22 00:00:00","error":null,"expiredAt":null,` +
	`"friendlyId":"run_cmf0cp1v2tloekx1089agnxzj","id":"cmf0cp1v2tloekx1089agnxzj","isTest":"false","metadata":"{\"progress\":100}",` +
	`"metadataType":"application/json","number":"4","output":"{\"ok\":true,\"total\":\"59.97\"}","outputType":"application/json",` +
	`"payload":"{\"order\":\"0a0844ddf43fd53ed58299e573e4f371\",\"items\":[{\"sku\":\"aac0f89ed460\",\"quantity\":3,\"price\":\"19.99\",` +
	`\"note\":\"leave it at the door, please\"},{\"sku\":\"aac0f89ed460\",\"quantity\":3,\"price\":\"19.99\",\"note\":\"leave it at the door, please\"}]}",` +
	`"payloadType":"application/json","queuedAt":null,"realtimeStreams":"{}","runTags":"{user_42,tier:pro}","startedAt":null,` +
	`"status":"COMPLETED_SUCCESSFULLY","taskIdentifier":"process-order","ttl":null,"updatedAt":"2026-08-21 07:49:04.148","usageDurationMs":"0"},` +
	`"headers":{"operation":"insert","relation":["public","TaskRun"]}}`

func BenchmarkScanner(b *testing.B) {
	letter := strings.Repeat("Dear reader, nothing in this needs an escape at all. ", 20)
	for name, row := range map[string]string{"order": order, "letter": strings.Replace(order, "process-order", letter, 1)} {
		b.Run(name, func(b *testing.B) {
			body := []byte("[" + strings.Repeat(row+",", 499) + row + "]")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				s := NewBytesScanner(body)
				for {
					if _, err := s.Next(1); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkSubstitute has nothing to replace, as it is in most rows.
func BenchmarkSubstitute(b *testing.B) {
	rows := []byte(strings.Repeat(order+",", 24) + order)
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		if out := Substitute(rows, "status", "DEQUEUED", "EXECUTING"); len(out) != len(rows) {
			b.Fatal("replaced")
		}
	}
}

// What comes together is enough as soon as it may be, and of one kind.
func TestTogether(t *testing.T) {
	row := func(operation string) string { return `{"headers":{"operation":"` + operation + `"}}` }
	one := len(row("insert")) // as long as the others
	body := "[" + strings.Join([]string{row("insert"), row("insert"), row("insert"), row("update"), row("update")}, ",") + "," + upToDateMessage + "]"
	for enough, want := range map[int][]int{
		0: {1, 1, 1, 1, 1, 1}, 1: {1, 1, 1, 1, 1, 1}, one: {1, 1, 1, 1, 1, 1}, one + 1: {2, 1, 2, 1}, 2*one + 1: {2, 1, 2, 1}, 2*one + 2: {3, 2, 1}, 1 << 20: {3, 2, 1},
	} {
		var got []int
		s := NewBytesScanner([]byte(body))
		for {
			m, err := s.Next(enough)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Count)
		}
		if !slices.Equal(got, want) {
			t.Errorf("enough of %d: %v together, want %v", enough, got, want)
		}
	}
}

const upToDateMessage = `{"headers":{"control":"up-to-date"}}`
