package shapes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// texts are JSON or nearly so.
var texts = []string{
	``, ` `, `[]`, " [\t]\r\n", `{}`, `{ }`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[1,2,"a",null,true,false,{"a":[]}]`, `[`, `]`, `{`, `[}`, `{]`, `[1}`, `{"a":1]`,
	`{"a":1}`, `{"a" : 1 , "b":2}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":1,2}`, `{1:2}`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`,
	`nul`, `nulL`, `null`, `nullx`, `true`, `tru`, `false`, `falsey`, `x`, `[]]`, `[] []`, `1 1`,
	`0`, `-0`, `00`, `01`, `-`, `--1`, `+1`, `10`, `1.`, `.5`, `1.5`, `-1.50`, `1e5`, `1E+5`, `1e-05`, `1e`, `1e+`, `1.e5`, `0x1`, `1_0`, `1e5.5`, `[0.0e0]`, `Infinity`, `NaN`,
	`"`, `""`, `"a`, `"abcdefgh`, `"abcdefgh"`, `"abcdefghi\"`, `"\""`, `"\\"`, `"\\\"`, `"\/\b\f\n\r\t"`, `"\a"`, `"\'"`, `"\u0041"`, `"\u00aF"`, `"\u00g1"`, `"\u00`, `"\u004"`, `"\U0041"`, `"\`,
	"\"a\nb\"", "\"abcdefg\x00\"", "\"\x1f\"", "\"\x7f\x80\xff\"", `"ä€😀"`, "\xef\xbb\xbf[]", `'a'`, "[1]\x00", "\x0b[]", "\u00a0[]",
	crlfRow, `[{"key":"\"public\".\"TaskRun\"/\"cmrun\"","value":{"id":"cmrun","payload":"{\"a\":\"\\\"\\\\\"}"},"headers":{"operation":"update"}},{"headers":{"control":"up-to-date"}}]`,
}

const crlfRow = "[\r\n{\"a\"\r\n:\r\n1\r\n}\r\n,\r\n{}\r\n]\r\n"

func TestValid(t *testing.T) {
	valid := 0
	for _, text := range texts {
		if want := json.Valid([]byte(text)); Valid([]byte(text)) != want {
			t.Errorf("%q: %t, encoding/json says %t", text, !want, want)
		} else if want {
			valid++
		}
	}
	if valid < 30 || valid > len(texts)-60 {
		t.Errorf("%d of %d texts are JSON: too few of one kind to tell them apart", valid, len(texts))
	}
}

// What is as deep as a Scanner takes it is valid, and nothing deeper.
func TestValidIsAsDeepAsAScanner(t *testing.T) {
	for _, brackets := range []string{"[]", "{}"} {
		for depth := mostNested - 2; depth < mostNested+3; depth++ {
			inner := strings.Repeat(brackets[:1], depth) + strings.Repeat(brackets[1:], depth)
			if brackets == "{}" {
				inner = strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
			}
			text := []byte(`[{"value":` + inner + `,"headers":{"operation":"insert"}}]`)
			_, err := NewBytesScanner(text).Next(1)
			if Valid(text) != (err == nil) {
				t.Errorf("%s, %d deep: valid: %t, a Scanner: %v", brackets, depth, Valid(text), err)
			}
		}
	}
	if deep := strings.Repeat("[", 32<<20); Valid([]byte(deep)) { // which would be more stack than there may be
		t.Error("brackets without end are valid")
	}
}

func FuzzValid(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := json.Valid(text)
		if got := Valid(text); got != want && (got || deepest(text) <= 1+mostNested) {
			t.Errorf("%q: %t, encoding/json says %t", text, got, want)
		}
	})
}

// deepest is how deep JSON is nested, or more.
func deepest(text []byte) (most int) {
	depth := 0
	for _, c := range text {
		switch c {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

func BenchmarkValid(b *testing.B) {
	var columns []string
	for i := range 20 {
		columns = append(columns, fmt.Sprintf(`"column%d":"a value of %d bytes"`, i, i), fmt.Sprintf(`"number%d":"%d","none%d":null`, i, i*1234567, i))
	}
	text := []byte(`[{"key":"\"public\".\"TaskRun\"/\"cmrun\"","value":{` + strings.Join(columns, ",") +
		`},"headers":{"operation":"update","lsn":"26796848","op_position":0}},{"headers":{"control":"up-to-date"}}]`)
	for name, valid := range map[string]func([]byte) bool{"here": Valid, "encoding_json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !valid(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
