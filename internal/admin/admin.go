package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/orgflags"
)

// Prefix is what all paths of a Handler begin with.
const Prefix = "/admin/v1/"

// MinToken is how many characters a token has at least: whoever guesses it moves
// every organization.
const MinToken = 32

// Flags are what is looked at and set, as *orgflags.Flags does.
type Flags interface {
	Get(ctx context.Context, organizationID string) (orgflags.State, error)
	Set(ctx context.Context, organizationID string, on bool) error
	Global(ctx context.Context) (json.RawMessage, error)
}

// Config of a Handler.
type Config struct {
	// Token is what a request has to bring, as Authorization: Bearer. Required, of
	// MinToken characters or more.
	Token string

	// Flags are the organizations' flags. Required.
	Flags Flags

	// Log gets a line for every change.
	Log zerolog.Logger
}

// Handler answers operators.
type Handler struct {
	token [sha256.Size]byte // not the token itself, so that no printed Handler holds it
	flags Flags
	log   zerolog.Logger
	mux   *http.ServeMux
}

// New makes a Handler for paths that begin with Prefix.
func New(c Config) (*Handler, error) {
	switch {
	case len(c.Token) < MinToken:
		return nil, errors.New("admin: Config.Token is too short: make one with openssl rand -hex 32")
	case c.Flags == nil:
		return nil, errors.New("admin: Config.Flags is nil: give the organizations' flags")
	}
	h := &Handler{token: sha256.Sum256([]byte(c.Token)), flags: c.Flags, log: c.Log, mux: http.NewServeMux()}
	const flag = Prefix + "orgs/{organizationId}/run-table-v2"
	h.mux.HandleFunc("GET "+flag, h.show)
	h.mux.HandleFunc("PUT "+flag, h.set)
	h.mux.HandleFunc(flag, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD, PUT")
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	})
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "Not found") })
	return h, nil
}

// ServeHTTP implements http.Handler. Who has no token learns nothing of the paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !h.admitted(r) {
		h.log.Warn().Str("remote", r.RemoteAddr).Msg("an admin request without the right token was refused")
		w.Header().Set("Www-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, "Invalid or Missing admin token")
		return
	}
	h.mux.ServeHTTP(w, r)
}

// admitted compares hashes, which are of one length whatever was sent, and takes as
// long for every wrong token.
func (h *Handler) admitted(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	return ok && subtle.ConstantTimeCompare(sum[:], h.token[:]) == 1
}

// answer is a flag as operators see it.
type answer struct {
	OrganizationID string          `json:"organizationId"`
	RunTableV2     bool            `json:"runTableV2"`
	Stored         json.RawMessage `json:"stored"` // null: the organization has no such flag
	Global         global          `json:"global"`
}

// global is the row that holds for all organizations, on the platform.
type global struct {
	Value    json.RawMessage `json:"value"`
	ReadOnly bool            `json:"readOnly"`
	Note     string          `json:"note"`
}

const globalNote = "new runs follow the organization's own flag alone: the global value has no effect"

func (h *Handler) show(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("organizationId")
	state, err := h.get(r.Context(), id)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	value, err := h.flags.Global(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, answer{id, state.On, orNull(state.Stored), global{orNull(value), true, globalNote}})
}

func (h *Handler) set(w http.ResponseWriter, r *http.Request) {
	const most = 4 << 10
	var body struct {
		RunTableV2 *bool `json:"runTableV2"`
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil || body.RunTableV2 == nil || in.More() {
		refuse(w, http.StatusBadRequest, `The body is to be {"runTableV2": true} or {"runTableV2": false}`)
		return
	}
	id := r.PathValue("organizationId")
	before, err := h.get(r.Context(), id)
	if err == nil {
		err = h.flags.Set(r.Context(), id, *body.RunTableV2)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.log.Info().Str("organization", id).Bool("was", before.On).Bool("is", *body.RunTableV2).Str("remote", r.RemoteAddr).
		Msg("the flag runTableV2 was set")
	h.show(w, r)
}

// get does not ask the database for what is no id.
func (h *Handler) get(ctx context.Context, id string) (orgflags.State, error) {
	plain := func(c rune) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
	}
	if len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return !plain(c) }) {
		return orgflags.State{}, orgflags.ErrUnknown
	}
	return h.flags.Get(ctx, id)
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, orgflags.ErrUnknown) {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	h.log.Error().Err(err).Str("remote", r.RemoteAddr).Msg("admin request failed")
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
}

// refuse answers in the gateway's form of an error.
func refuse(w http.ResponseWriter, status int, text string) {
	write(w, status, struct {
		Error string `json:"error"`
	}{text})
}

func write(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic("admin: an answer does not marshal: " + err.Error()) // texts, and JSON that was read from jsonb
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the operator is gone: nobody is left to tell
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}
