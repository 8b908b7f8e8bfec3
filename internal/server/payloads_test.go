package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// decoding is a server that has a key, and what Temporal's UI sends it of a payload.
func decoding(t *testing.T) (b *bench, h http.Handler, asked string) {
	t.Helper()
	b = newBench(t)
	keys, err := payload.Of("k", []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := keys.Converter(nil).ToPayloads("hush", 3)
	if err != nil {
		t.Fatal(err)
	}
	body, err := protojson.Marshal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	b.bind("ann", everything, pipelines.RoleViewer)
	o := b.options(b.ledger)
	o.Payloads, o.Origins = keys, []string{"https://temporal.example.org"}
	return b, server.Handler(o), string(body)
}

// decodePath is as the UI of version 2.55 writes it.
const decodePath = "/codec/default/decode?preserveStorageRefs=true"

func TestPayloadsAreDecodedAsTemporalsUIAsks(t *testing.T) {
	b, h, asked := decoding(t)
	w := b.ask(h, "POST", decodePath, asked, b.token("ann"))
	var got commonpb.Payloads
	if err := protojson.Unmarshal(w.Body.Bytes(), &got); w.Code != http.StatusOK || err != nil {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	if len(got.Payloads) != 2 || string(got.Payloads[0].Data) != `"hush"` || string(got.Payloads[0].Metadata["encoding"]) != "json/plain" ||
		string(got.Payloads[1].Data) != "3" {
		t.Errorf("it reads %v", &got)
	}
	for reason, c := range map[string]struct {
		body string
		code int
		says string
	}{
		"a plain payload is as it was": {`{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"MQ==","newer":1}]}`, 200, `"data":"MQ=="`},
		"one that has no data":         {`{"payloads":[{"metadata":{"encoding":"YmluYXJ5L251bGw="}}]}`, 200, `"encoding":"YmluYXJ5L251bGw="`},
		"none":                         {`{"payloads":[]}`, 200, `{"payloads":[]}`},
		"a key that is not there": {fmt.Sprintf(`{"payloads":[{"metadata":{"encoding":%q,"sluice-key":"b2xk"},"data":"aHVzaA=="}]}`,
			base64.StdEncoding.EncodeToString([]byte(payload.Encoding))), 400, `its key \"old\" is none of those here (k)`},
		"no base64":      {`{"payloads":[{"data":"!"}]}`, 422, "body"},
		"too many":       {`{"payloads":[` + strings.Repeat("{},", 5000) + `{}]}`, 422, "5000"},
		"nothing at all": {``, 400, "body"},
	} {
		if w := b.ask(h, "POST", decodePath, c.body, b.token("ann")); w.Code != c.code || !strings.Contains(w.Body.String(), c.says) ||
			strings.Contains(w.Body.String(), "aHVzaA") || strings.Contains(w.Body.String(), "hush") {
			t.Errorf("%s: %d %s, want %d %s", reason, w.Code, w.Body, c.code, c.says)
		}
	}
	if w := b.ask(h, "POST", "/codec/default/encode", asked, b.token("ann")); w.Code != http.StatusNotFound {
		t.Errorf("payloads are encoded: %d %s", w.Code, w.Body)
	}
	if entries, err := b.ledger.ListEntries(t.Context(), "", 10); err != nil || len(entries) > 0 {
		t.Errorf("the audit has %v, %v", entries, err)
	}
}

// TestOnlyPagesOfTheUIAsk has browsers ask on behalf of pages.
func TestOnlyPagesOfTheUIAsk(t *testing.T) {
	b, h, asked := decoding(t)
	const ui, other = "https://temporal.example.org", "https://example.org"
	for _, c := range []struct {
		reason, method, path, origin, token string
		code                                int
		allowed                             string // which origin may read the answer
	}{
		{"a browser asks before it asks", "OPTIONS", decodePath, ui, "", 204, ui},
		{"for another page", "OPTIONS", decodePath, other, "", 401, ""},
		{"for no page", "OPTIONS", decodePath, "", "", 401, ""},
		{"the UI asks", "POST", decodePath, ui, b.token("ann"), 200, ui},
		{"the UI asks for whom nobody knows, and may say so", "POST", decodePath, ui, "", 401, ui},
		{"the UI asks for whom nothing is given", "POST", decodePath, ui, b.token("bob"), 403, ui},
		{"another page asks, which its browser tells nothing", "POST", decodePath, other, b.token("ann"), 200, ""},
		{"the UI asks for other things", "GET", "/runs", ui, b.token("ann"), 200, ""},
		{"and to do them", "OPTIONS", "/runs", ui, "", 401, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/api/v1"+c.path, strings.NewReader(asked))
		r.Header.Set("Content-Type", "application/json")
		if c.method == "GET" {
			r = httptest.NewRequestWithContext(t.Context(), c.method, "/api/v1"+c.path, nil)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != c.code || got != c.allowed {
			t.Errorf("%s: %d for %q, want %d for %q: %s", c.reason, w.Code, got, c.code, c.allowed, w.Body)
		}
		if c.code == 204 && w.Header().Get("Access-Control-Allow-Headers") !=
			"Authorization, Authorization-Extras, Content-Type, X-Namespace" {
			t.Errorf("%s: %v", c.reason, w.Header())
		}
	}
}

func TestOrigins(t *testing.T) {
	for origin, good := range map[string]bool{
		"https://temporal.example.org": true, "http://127.0.0.1:8233": true, "https://t.example.org:8443": true,
		"*": false, "null": false, "https://temporal.example.org/": false, "temporal.example.org": false, "https://Temporal.example.org": false,
		"ftp://x": false, "https://a@b": false, "": false, "https://x?y": false,
	} {
		err := server.Run(t.Context(), server.Setup{Origins: []string{origin}, Listen: "nowhere"})
		if refused := err != nil && strings.Contains(err.Error(), "have payloads decoded"); refused == good {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
