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
	body, err := Encode(p)
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}

// Encode returns a plan's canonical form: JSON with the fields in the order of the types, maps sorted by key, floats in
// their shortest form, nothing escaped for HTML and no white space.
func Encode(p *Plan) ([]byte, error) {
	body, err := canonical(p)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot encode the plan of %s %s", p.Component, p.Version)
	}
	return body, nil
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

func canonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func sum(body []byte) string {
	digest := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(digest[:])
}
