package access

import (
	"bytes"
	"encoding/json"
	"io"
	"math"

	"sluice.dev/sluice/internal/fault"
)

// Bounds on claims: every binding looks through them at every request.
const (
	MaxClaims     = 16 << 10 // bytes of all names and texts
	maxClaimDepth = 6
	maxClaimCount = 1_000 // values, those within others too
)

// ReadClaims decodes claims from JSON. A whole number stays one, so that two large ids are not taken for each other. It is fault.Invalid
// for what is no mapping, or exceeds the bounds.
func ReadClaims(data []byte) (map[string]any, error) {
	if len(data) > MaxClaims {
		return nil, fault.New(fault.Invalid, "cannot read claims: they have %d bytes, at most %d are read", len(data), MaxClaims)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil {
		return nil, fault.New(fault.Invalid, "cannot read claims: they are no JSON mapping")
	}
	if _, err := dec.Token(); err != io.EOF || claims == nil {
		return nil, fault.New(fault.Invalid, "cannot read claims: they are not one JSON mapping")
	}
	plain, err := numbers(claims)
	if err != nil {
		return nil, err
	}
	claims = plain.(map[string]any)
	return claims, CheckClaims(claims)
}

// numbers makes int64 of what is whole, and float64 of other numbers.
func numbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return nil, fault.New(fault.Invalid, "cannot read claims: a number is out of range")
		}
		return f, nil
	case map[string]any:
		for key, inner := range v {
			if v[key], err = numbers(inner); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, inner := range v {
			if v[i], err = numbers(inner); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// CheckClaims is fault.Invalid for claims that exceed the bounds, or have a value that JSON has not.
func CheckClaims(claims map[string]any) error {
	m := measure{}
	if err := m.value(claims, 0); err != nil {
		return err
	}
	return nil
}

type measure struct{ count, bytes int }

func (m *measure) value(value any, depth int) error {
	m.count++
	switch v := value.(type) {
	case string:
		m.bytes += len(v)
	case map[string]any:
		for key, inner := range v {
			m.bytes += len(key)
			if err := m.inner(inner, depth); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := m.inner(inner, depth); err != nil {
				return err
			}
		}
	case nil, bool, int64, float64:
	default:
		return fault.New(fault.Invalid, "cannot take claims: a value is a %T", value)
	}
	if m.count > maxClaimCount || m.bytes > MaxClaims {
		return fault.New(fault.Invalid, "cannot take claims: they are more than %d values or %d bytes", maxClaimCount, MaxClaims)
	}
	return nil
}

func (m *measure) inner(value any, depth int) error {
	if depth >= maxClaimDepth {
		return fault.New(fault.Invalid, "cannot take claims: they are nested deeper than %d", maxClaimDepth)
	}
	return m.value(value, depth+1)
}
