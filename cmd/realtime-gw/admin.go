package main

import (
	"net/http"
	"strings"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/admin"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
)

// operated are the settings of commands that have a door for operators.
type operated struct {
	AdminToken string `help:"Opens the operators' endpoints, /admin/v1/: 32 characters or more. Without it there are none." env:"REALTIME_GW_ADMIN_TOKEN"`
}

// openAdmin gives what answers operators, nil without a token.
func (o *operated) openAdmin(flags *orgflags.Flags, log zerolog.Logger) (http.Handler, error) {
	if o.AdminToken == "" {
		return nil, nil
	}
	return admin.New(admin.Config{Token: o.AdminToken, Flags: flags, Log: log})
}

func (o *operated) checkAdmin(refuse refuser) {
	if n := len(o.AdminToken); n > 0 && n < admin.MinToken {
		refuse("REALTIME_GW_ADMIN_TOKEN", "make one with openssl rand -hex 32, or unset it", " has %d characters, and has to have %d", n, admin.MinToken)
	}
}

// withAdmin gives operators' requests to their handler and all others to the
// gateway, untouched.
func withAdmin(desk, gateway http.Handler) http.Handler {
	if desk == nil {
		return gateway
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, admin.Prefix) {
			desk.ServeHTTP(w, r)
			return
		}
		gateway.ServeHTTP(w, r)
	})
}
