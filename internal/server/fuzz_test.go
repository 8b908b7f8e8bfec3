package server_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"testing"

	"sluice.dev/sluice/internal/server"
)

// FuzzLint sends documents of all sorts, under names of all sorts, to whoever has them linted: no answer is a fault of the server. What is
// fuzzed is packed here, since hardly any change of an archive is one.
func FuzzLint(f *testing.F) {
	b := newBench(f)
	for _, document := range []string{documents, policyDocument, "", "a: &a [*a]", "apiVersion: v1\nkind: ConfigMap\n", "---\n---\n", "\x00\xff"} {
		f.Add("all.yaml", "all.yaml", byte(tar.TypeReg), "", []byte(document))
	}
	f.Add("../x.yaml", "x.yaml", byte(tar.TypeReg), "", []byte(documents))
	f.Add("x.yaml", "/etc/passwd", byte(tar.TypeReg), "", []byte(documents))
	f.Add("x.yaml", "x.yaml", byte(tar.TypeSymlink), "/etc/passwd", []byte{})
	f.Add("x", "x/../..", byte(tar.TypeDir), "", []byte{})
	guard, token := server.NewLocal() // which bounds nobody
	h := b.handler(func(o *server.Options) { o.Guard, o.Grants = guard, nil })
	f.Fuzz(func(t *testing.T, name, path string, kind byte, link string, document []byte) {
		archive, err := packed(tar.Header{Typeflag: kind, Name: name, Linkname: link, Mode: 0o600}, document)
		if err != nil {
			t.Skip("it cannot be in an archive")
		}
		body, err := json.Marshal(map[string]any{"archive": archive, "paths": []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		if w := b.ask(h, "POST", "/lint", string(body), token); w.Code >= http.StatusUnauthorized && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// packed is an archive of one entry.
func packed(h tar.Header, content []byte) ([]byte, error) {
	var out bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err != nil {
		return nil, err
	}
	files := tar.NewWriter(zipped)
	if h.Typeflag != tar.TypeReg {
		content = nil
	}
	h.Size = int64(len(content))
	if err := files.WriteHeader(&h); err != nil {
		return nil, err
	}
	if _, err := files.Write(content); err != nil {
		return nil, err
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	err = zipped.Close()
	return out.Bytes(), err
}
