// Package clip shortens texts that somebody else wrote to what may be shown, stored or sent, and shows that it did. It knows
// nothing of what they say: masking secrets and choosing lines is for whoever quotes them.
package clip

import (
	"fmt"
	"strings"
)

const dots = "..."

// Runes is a text of at most so many characters.
func Runes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:max(0, most-len(dots))]) + dots
	}
	return text
}

// Bytes is a text of at most so many bytes, and cuts no character in two.
func Bytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:max(0, most-len(dots))], "") + dots
}

// Few lists so many of a list at most, and counts the rest.
func Few(all []string, most int) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
