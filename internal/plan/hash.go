package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"sluice.dev/sluice/internal/fault"
)

// Hash returns the sha256 of a plan's canonical form, in hex. It covers the whole Plan and nothing beside it: where its
// files lie, who made it and when have no part in it. It panics on a plan that neither Build nor Decode made and that JSON
// cannot carry.
func Hash(p *Plan) string {
	digest := sha256.New()
	if err := p.write(digest); err != nil {
		panic(err)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// Encode returns a plan's canonical form: JSON with the fields in the order of the types, maps sorted by key, floats in
// their shortest form, nothing escaped for HTML and no white space.
func Encode(p *Plan) ([]byte, error) {
	var body bytes.Buffer
	if err := p.write(&body); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot encode the plan of %s %s", p.Component, p.Version)
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

// write writes the canonical form unit by unit. As one value, a plan of 10,000 clusters would go through buffers of many
// megabytes, which encoding/json grows by doubling and keeps for later.
func (p *Plan) write(w io.Writer) error {
	bare, lists := p.withoutUnits()
	var frame bytes.Buffer
	if err := canonical(&frame, bare); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	enc := newEncoder(out)
	rest := frame.Bytes()
	for _, units := range lists {
		// Only a group has an empty list of that name: an order leaves it out.
		before, after, _ := bytes.Cut(rest, []byte(`"units":[]`))
		out.Write(before)
		out.WriteString(`"units":[`)
		for i := range units {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := enc.Encode(&units[i]); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		rest = after
	}
	out.Write(rest)
	return out.Flush()
}

// withoutUnits returns the plan with its groups empty, and the lists of units that they had.
func (p *Plan) withoutUnits() (*Plan, [][]Unit) {
	bare := *p
	bare.Stages = slices.Clone(p.Stages)
	var lists [][]Unit
	for i := range bare.Stages {
		s := &bare.Stages[i]
		s.Groups = slices.Clone(s.Groups)
		for j := range s.Groups {
			g := &s.Groups[j]
			if g.Units == nil {
				continue
			}
			lists = append(lists, g.Units)
			g.Units = []Unit{}
		}
	}
	return &bare, lists
}

// canonical writes the canonical form of v.
func canonical(w io.Writer, v any) error {
	return newEncoder(w).Encode(v)
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(unended{w})
	enc.SetEscapeHTML(false)
	return enc
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
