package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"sluice.dev/sluice/internal/server"
)

// FuzzLint sends archives and paths of all sorts to whoever has them linted: no answer is a fault of the server.
func FuzzLint(f *testing.F) {
	b := newBench(f)
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "x.yaml")
	f.Add([]byte{}, "../x")
	f.Add([]byte("PK"), "\x00")
	guard, token := server.NewLocal() // which bounds nobody
	h := b.handler(func(o *server.Options) { o.Guard, o.Grants = guard, nil })
	f.Fuzz(func(t *testing.T, archive []byte, path string) {
		body := fmt.Sprintf(`{"archive":%q,"paths":[%q]}`, base64.StdEncoding.EncodeToString(archive), path)
		if w := b.ask(h, "POST", "/lint", body, token); w.Code >= http.StatusUnauthorized && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
