package credential

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/sealed"
)

const masterBytes = 32

// Seal closes what one site is given and shows again: nobody else can make it, or use it.
type Seal struct{ box cipher.AEAD }

// Seal returns the authority's.
func (a *Authority) Seal() Seal { return Seal{sealed.With(a.derived("seal"))} }

// PayloadKey is the key that the payloads of a site are encrypted by.
func (a *Authority) PayloadKey(site string) []byte { return a.derived("payloads of site " + site) }

func (a *Authority) derived(of string) []byte {
	key, err := hkdf.Key(sha256.New, a.master, nil, "sluice "+of, 32)
	if err != nil {
		panic(err) // of the length alone
	}
	return key
}

// Close seals data for a site.
func (s Seal) Close(site string, data []byte) []byte { return s.box.Seal(nil, nil, data, []byte(site)) }

// Open returns what was sealed for a site. It is fault.Unauthorized for anything else.
func (s Seal) Open(site string, sealed []byte) ([]byte, error) {
	data, err := s.box.Open(nil, nil, sealed, []byte(site))
	if err != nil {
		return nil, fault.New(fault.Unauthorized, "this was not given to site %s", site)
	}
	return data, nil
}
