package electric

import (
	"net/http"
	"strconv"
	"strings"
)

// How many calls that name a handle Electric takes at the same time, if nobody has set
// ELECTRIC_MAX_CONCURRENT_REQUESTS there: 1.7.12 and 1.2.4.
const (
	admits    = 10_000
	admitsOld = 1_000
)

// Admits is how many calls that name a handle this Electric takes at the same time by
// itself, as far as its last answer said which version it is. Before the first it is
// taken for one of today.
func (c *Client) Admits() int {
	if c.old.Load() {
		return admitsOld
	}
	return admits
}

// learn takes in which version answered: "ElectricSQL/1.2.4".
func (c *Client) learn(h http.Header) {
	product, version, _ := strings.Cut(h.Get("Electric-Server"), "/")
	first, rest, ok := strings.Cut(version, ".")
	if product != "ElectricSQL" || !ok {
		return // whoever stands between answers by itself now and then
	}
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(second)
	if err == nil && err2 == nil {
		c.old.Store(major < 1 || major == 1 && minor <= 2)
	}
}
