package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	commonpb "go.temporal.io/api/common/v1"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// payloads has payloads be decoded for those who may view everything: what run one is of, it does not say.
func (s *server) payloads(a huma.API) {
	on(s, a, wire.DecodePayloads, all[wire.Decoding](pipelines.RightView), func(_ context.Context, in *wire.Decoding) (wire.Payloads, error) {
		encoded := make([]*commonpb.Payload, len(in.Body.Payloads))
		for i, p := range in.Body.Payloads {
			encoded[i] = &commonpb.Payload{Metadata: p.Metadata, Data: p.Data}
		}
		decoded, err := s.Payloads.Decode(encoded)
		out := wire.Payloads{Payloads: make([]wire.Payload, len(decoded))}
		for i, p := range decoded {
			out.Payloads[i] = wire.Payload{Metadata: p.GetMetadata(), Data: p.GetData()}
		}
		return out, err
	})
}

const codecPath = wire.Prefix + "/codec/"

// crossOrigin has the pages of some origins ask for payloads, and no others for anything. It reports whether it has answered: to a browser
// that asks whether it may ask.
func (s *server) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(s.Origins) == 0 || !strings.HasPrefix(r.URL.Path, codecPath) {
		return false
	}
	head := w.Header()
	head.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.Origins, origin) {
		return false
	}
	head.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions {
		return false
	}
	head.Set("Access-Control-Allow-Methods", http.MethodPost)
	head.Set("Access-Control-Allow-Headers", "Authorization, Authorization-Extras, Content-Type, X-Namespace") // as the UI sends them
	head.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkOrigins is fault.Invalid for one that is no origin, as a browser says it.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Scheme+"://"+u.Host != o || strings.ToLower(o) != o {
			return fault.New(fault.Invalid, "cannot let pages of %q have payloads decoded: write an origin such as https://temporal.example.org, "+
				"in lower case and without a path", o)
		}
	}
	return nil
}
