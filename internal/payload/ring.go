// Package payload encrypts what Temporal keeps of runs: a keyring, read from a file, and the codec that Temporal's SDK is given of it. It
// reads no file, asks nobody and logs nothing. What was written before there were keys is read as it is.
package payload

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/sealed"
)

// Bounds on a keyring.
const (
	MaxFile  = 64 << 10 // bytes
	maxKeys  = 100
	keyBytes = 32
)

// Ring has the keys of payloads: the first encrypts, all decrypt. Nil is one without keys: it encrypts nothing.
type Ring struct{ keys []key }

type key struct {
	id  string
	box cipher.AEAD
}

var goodID = regexp.MustCompile(`^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$`)

// Read reads a keyring: on each line the id of a key, a colon, and 32 bytes in base64. Empty lines, and those that begin with #, say
// nothing. What it says is wrong names a line, and nothing of what stands there.
func Read(data []byte) (*Ring, error) {
	if len(data) > MaxFile {
		return nil, fault.New(fault.Invalid, "cannot read payload keys: there are %d bytes, at most %d are read", len(data), MaxFile)
	}
	r := &Ring{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, MaxFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, secret, is := strings.Cut(line, ":")
		id = strings.TrimSpace(id)
		if !is || !goodID.MatchString(id) {
			return nil, fault.New(fault.Invalid, "cannot read payload keys: line %d is not 'ID: KEY', with an id of at most 63 letters, digits, "+
				"dashes, dots and underscores", n)
		}
		bytes, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(secret))
		if err != nil || len(bytes) != keyBytes {
			return nil, fault.New(fault.Invalid, "cannot read payload keys: the key on line %d is not %d bytes in base64", n, keyBytes)
		}
		if r.key(id) != nil {
			return nil, fault.New(fault.Invalid, "cannot read payload keys: line %d has an id that was there before: %s", n, id)
		}
		if len(r.keys) == maxKeys {
			return nil, fault.New(fault.Invalid, "cannot read payload keys: there are more than %d", maxKeys)
		}
		r.keys = append(r.keys, key{id, sealed.With(bytes)})
	}
	if len(r.keys) == 0 {
		return nil, fault.New(fault.Invalid, "cannot read payload keys: there is none; make one with: sluice payload-keys new")
	}
	return r, nil
}

// Of is a keyring of one key, which has 32 bytes.
func Of(id string, secret []byte) (*Ring, error) {
	if len(secret) != keyBytes {
		return nil, fault.New(fault.Invalid, "cannot use payload key %s: it has %d bytes and not %d", id, len(secret), keyBytes)
	}
	return &Ring{[]key{{id, sealed.With(secret)}}}, nil
}

// OfSite is the keyring of a site's agents, who have no other key, and no other site's agents have it.
func OfSite(site string, secret []byte) (*Ring, error) { return Of("site "+site, secret) }

// NewKey is a line with a new key, as Read reads it. Without an id it makes one.
func NewKey(id string) (string, error) {
	if id == "" {
		id = strings.ToLower(rand.Text()[:8])
	}
	if !goodID.MatchString(id) {
		return "", fault.New(fault.Invalid,
			"cannot make payload key %q: an id has at most 63 letters, digits, dashes, dots and underscores", id)
	}
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret)
	return id + ": " + base64.StdEncoding.EncodeToString(secret), nil
}

// Encrypts reports whether there is a key.
func (r *Ring) Encrypts() bool { return r != nil && len(r.keys) > 0 }

// IDs are those of the keys, in order. They are no secrets.
func (r *Ring) IDs() (all []string) {
	if r == nil {
		return nil
	}
	for _, k := range r.keys {
		all = append(all, k.id)
	}
	return all
}

func (r *Ring) key(id string) *key {
	if r == nil {
		return nil
	}
	for i := range r.keys {
		if r.keys[i].id == id {
			return &r.keys[i]
		}
	}
	return nil
}
