// Package sealed closes data by AES-256-GCM with a nonce of its own: whoever has not the key can neither read nor make it.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
)

// With returns what seals and opens by a key of 32 bytes. A key of another length is a fault of the program.
func With(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // of the length alone
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return box
}
