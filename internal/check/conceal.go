package check

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// concealed makes an error fit to be printed: one line, and nothing of it where a
// secret, or a URL that holds one, stands in it in any spelling. What is left
// then is only that there was an error: better than a text with stars in it, from
// which a short secret could be guessed.
func concealed(err error, secrets ...string) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, s := range secrets {
		if s == "" {
			continue
		}
		quoted := strconv.Quote(s)
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), quoted[1 : len(quoted)-1]} {
			if strings.Contains(text, form) {
				return errors.New("there was an error whose words repeat a secret, and are left out here")
			}
		}
	}
	return errors.New(text)
}

// sqlState is Postgres's code of an error, if it is one of Postgres's.
func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}
