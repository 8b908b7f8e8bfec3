package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"sluice.dev/sluice/internal/fault"
)

// Hash returns the sha256 of a plan's canonical form, in hex. It covers the whole Plan and nothing beside it: where its
// files lie, who made it and when have no part in it. It panics on a plan that neither Build nor Decode made and that JSON
// cannot carry.
func Hash(p *Plan) string {
	digest := sha256.New()
	if err := canonical(digest, p); err != nil {
		panic(err)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// Encode returns a plan's canonical form: JSON with the fields in the order of the types, maps sorted by key, floats in
// their shortest form, nothing escaped for HTML and no white space.
func Encode(p *Plan) ([]byte, error) {
	var body bytes.Buffer
	if err := canonical(&body, p); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot encode the plan of %s %s", p.Subject, p.Version)
	}
	return body.Bytes(), nil
}

// Decode reads what Encode wrote. A field it does not know is an error, since the hash would not cover it.
func Decode(body []byte) (*Plan, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	p := &Plan{}
	if err := dec.Decode(p); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot decode a plan")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "cannot decode a plan: bytes follow it")
	}
	if p.Format != Format {
		return nil, fault.New(fault.Invalid, "cannot decode a plan: its format is %d, this Sluice reads %d", p.Format, Format)
	}
	return p, nil
}

// canonical writes the canonical form of v.
func canonical(w io.Writer, v any) error {
	enc := json.NewEncoder(unended{w})
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// unended passes on what an encoder writes without the newline at its end. Compact JSON has no other.
type unended struct{ w io.Writer }

func (u unended) Write(body []byte) (int, error) {
	if _, err := u.w.Write(bytes.TrimSuffix(body, []byte("\n"))); err != nil {
		return 0, err
	}
	return len(body), nil
}

// sum is the sha256 of the canonical form of v.
func sum(v any) (string, error) {
	digest := sha256.New()
	if err := canonical(digest, v); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(digest.Sum(nil)), nil
}
