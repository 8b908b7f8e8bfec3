package ledgertest

import (
	"bytes"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testBlobs(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	for reason, data := range map[string][]byte{
		"an empty blob is a blob":                   {},
		"a text comes back as it was":               []byte("kind: ConfigMap\n"),
		"what compresses well comes back whole":     bytes.Repeat([]byte("a"), 3<<20),
		"bytes that are no text come back the same": {0, 1, 2, 0xff, 0, 0xfe},
	} {
		digest := must[string](t)(l.PutBlob(ctx, data))
		again := must[string](t)(l.PutBlob(ctx, data))
		same(t, again, digest, reason+": storing it again gives the same digest")
		if got := must[[]byte](t)(l.Blob(ctx, digest)); !bytes.Equal(got, data) {
			t.Errorf("%s: got %d bytes, want %d", reason, len(got), len(data))
		}
	}
	_, err := l.Blob(ctx, ledger.Digest([]byte("never stored")))
	wantCode(t, err, fault.NotFound, "a digest that was never stored")
	_, err = l.Blob(ctx, "")
	wantCode(t, err, fault.NotFound, "no digest")
	_, err = l.PutBlob(ctx, make([]byte, ledger.MaxBlob+1))
	wantCode(t, err, fault.Invalid, "a blob over the bound")
}
