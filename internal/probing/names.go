package probing

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// digest is short, and the same for the same parts alone.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:digestLength]
}

const digestLength = 12

// clipped is the beginning of a name, that still ends as a name does.
func clipped(name string, most int) string {
	if len(name) <= most {
		return name
	}
	return strings.TrimRight(name[:most], "-.")
}
