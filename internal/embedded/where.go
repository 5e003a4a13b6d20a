package embedded

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const whereGrammar = `the embedded shape server knows "column" = $n, "column" > $n and "column" @> ARRAY[$n,...], joined by AND`

// parseWhere reads a where clause. Values come from params alone, by number,
// counted from 1. No clause at all selects the whole table.
func parseWhere(clause string, params []string) ([]condition, *requestError) {
	p := whereParser{text: clause, params: params}
	p.next()
	if p.token == "" {
		return nil, nil
	}
	var conditions []condition
	for {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
		if p.token == "" {
			return conditions, nil
		}
		if !p.keyword("AND") {
			return nil, p.unexpected()
		}
	}
}

// whereParser is a parser with one token of look-ahead. An empty token is the
// end of the text.
type whereParser struct {
	text   string
	params []string
	token  string
	at     int // where token starts
	end    int // where it ends
}

func (p *whereParser) next() {
	i := p.end
	for i < len(p.text) && strings.IndexByte(" \t\r\n\f", p.text[i]) >= 0 {
		i++
	}
	p.at = i
	p.end = i + tokenLength(p.text[i:])
	p.token = p.text[p.at:p.end]
}

func tokenLength(s string) int {
	if s == "" {
		return 0
	}
	switch {
	case s[0] == '"':
		for i := 1; i < len(s); i++ {
			if s[i] != '"' {
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' {
				i++
				continue
			}
			return i + 1
		}
		return len(s)
	case strings.HasPrefix(s, "@>"):
		return 2
	case s[0] == '$':
		n := 1
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	case identifierByte(s[0], true):
		n := 1
		for n < len(s) && identifierByte(s[n], false) {
			n++
		}
		return n
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

func (p *whereParser) condition() (condition, *requestError) {
	c := condition{at: p.at}
	if p.token == "" || p.token[0] != '"' && !identifierByte(p.token[0], true) {
		return c, p.unexpected()
	}
	name, problem := parseIdentifier(p.token)
	if problem != "" {
		return c, p.fail(p.at, problem)
	}
	c.column = name
	p.next()
	switch {
	case p.take("="):
		c.op = equals
	case p.take(">"):
		c.op = greater
	case p.take("@>"):
		c.op = contains
		return p.array(c)
	default:
		return c, p.unexpected()
	}
	v, err := p.param()
	c.values = []string{v}
	return c, err
}

func (p *whereParser) array(c condition) (condition, *requestError) {
	if !p.keyword("ARRAY") || !p.take("[") {
		return c, p.unexpected()
	}
	for {
		v, err := p.param()
		if err != nil {
			return c, err
		}
		c.values = append(c.values, v)
		if p.take("]") {
			return c, nil
		}
		if !p.take(",") {
			return c, p.unexpected()
		}
	}
}

func (p *whereParser) param() (string, *requestError) {
	if len(p.token) < 2 || p.token[0] != '$' {
		return "", p.unexpected()
	}
	n, err := strconv.Atoi(p.token[1:])
	if err != nil || n < 1 || n > len(p.params) {
		return "", p.fail(p.at, "parameter "+p.token+" was not provided")
	}
	p.next()
	return p.params[n-1], nil
}

func (p *whereParser) take(token string) bool {
	if p.token != token {
		return false
	}
	p.next()
	return true
}

func (p *whereParser) keyword(word string) bool {
	if !strings.EqualFold(p.token, word) {
		return false
	}
	p.next()
	return true
}

func (p *whereParser) unexpected() *requestError {
	return p.fail(p.at, "syntax not supported: "+whereGrammar)
}

func (p *whereParser) fail(at int, message string) *requestError {
	return &requestError{"where", fmt.Sprintf("At location %d: %s", at, message)}
}
