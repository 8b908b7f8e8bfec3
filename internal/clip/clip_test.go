package clip_test

import (
	"testing"

	"sluice.dev/sluice/internal/clip"
)

func TestTextsAreShortened(t *testing.T) {
	for _, c := range []struct {
		reason, text string
		most         int
		runes, bytes string
	}{
		{"a text that fits stays", "short", 5, "short", "short"},
		{"one that does not says that there was more", "a longer text", 8, "a lon...", "a lon..."},
		{"characters are counted where bytes are not", "äöüäöü", 6, "äöüäöü", "ä..."},
		{"no character is cut in two", "aöüaöü", 5, "aö...", "a..."},
	} {
		if got := clip.Runes(c.text, c.most); got != c.runes {
			t.Errorf("%s: %d characters of %q are %q, want %q", c.reason, c.most, c.text, got, c.runes)
		}
		if got := clip.Bytes(c.text, c.most); got != c.bytes {
			t.Errorf("%s: %d bytes of %q are %q, want %q", c.reason, c.most, c.text, got, c.bytes)
		}
	}
}

func TestAFewOfMany(t *testing.T) {
	for want, all := range map[string][]string{"": nil, "a, b": {"a", "b"}, "a, b and 2 more": {"a", "b", "c", "d"}} {
		if got := clip.Few(all, 2); got != want {
			t.Errorf("of %v it lists %q, want %q", all, got, want)
		}
	}
}
