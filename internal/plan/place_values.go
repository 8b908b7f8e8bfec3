package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stead is a value that is one cluster's own, and the name that is written in its stead.
type stead struct{ value, name string }

// steads are the values of a cluster, the longest first: a cluster's name may hold its region's.
type steads []stead

var (
	// steadDigest finds ConfigMaps that a render has named by the digest of their content. Secrets are left alone: what
	// their digest stands for is not shown, so that only the digest tells that they differ.
	steadDigest = regexp.MustCompile(`(?m)^(\+|  replaces) ConfigMap/\S*?([^/\s]+)-([0-9a-f]{10})$`)
	// steadChecksum finds the digests by which charts restart pods, `checksum/config: 5e1a...`, and their like.
	steadChecksum = regexp.MustCompile(`(?m)checksum(?:/|~1)[^\s:]*: "?([0-9a-f]{32,64})"?$`)
	steadSecret   = regexp.MustCompile(`(?m)^[+~] Secret/`)
)

// steadsOf are what a render gets of a place, and the digests that come of it in what changes there. Every name stands
// for one value, so that the text with the values put back is what it was.
func steadsOf(u *Unit, text string) steads {
	var all steads
	add := func(value, name string) {
		if distinct(value) && !slices.ContainsFunc(all, func(s stead) bool { return s.value == value || s.name == name }) {
			all = append(all, stead{value, name})
		}
	}
	add(u.Cluster, "<cluster>")
	add(u.Group, "<cluster group>")
	add(u.Environment, "<environment>")
	add(u.BusinessSide, "<business side>")
	add(u.NetworkDomain, "<network domain>")
	add(u.Region, "<region>")
	place := all
	for _, found := range steadDigest.FindAllStringSubmatch(text, -1) {
		word := "digest"
		if strings.Contains(found[1], "replaces") {
			word = "digest before"
		}
		add(found[2]+"-"+found[3], place.in(found[2])+"-<"+word+">")
	}
	if !steadSecret.MatchString(text) {
		for i, found := range steadChecksum.FindAllStringSubmatch(text, -1) {
			add(found[1], fmt.Sprintf("<checksum %d>", i+1))
		}
	}
	slices.SortStableFunc(all, func(a, b stead) int { return cmp.Compare(len(b.value), len(a.value)) })
	return all
}

// distinct reports whether a value can be told from others that look like it: a cluster called "1" is not what a replica
// count of 1 speaks of, nor Norway what a switch that is "no" does.
func distinct(value string) bool {
	switch strings.ToLower(value) {
	case "true", "false", "yes", "no", "on", "off", "null":
		return false
	}
	return len(value) > 1 && strings.IndexFunc(value, unicode.IsLetter) >= 0
}

// in writes the names in a text in the stead of the values, where those stand as words of their own. A text that could not
// be had back from it, such as one that has one of the names already, stays as it is.
func (all steads) in(text string) string {
	if short := all.replace(text); all.out(short) == text {
		return short
	}
	return text
}

func (all steads) replace(text string) string {
	var out strings.Builder
	for at := 0; at < len(text); {
		if s, here := all.match(text, at); here {
			out.WriteString(s.name)
			at += len(s.value)
			continue
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		out.WriteString(text[at : at+size])
		at += size
	}
	return out.String()
}

func (all steads) match(text string, at int) (stead, bool) {
	if before, _ := utf8.DecodeLastRuneInString(text[:at]); isWord(before) {
		return stead{}, false
	}
	for _, s := range all {
		if !strings.HasPrefix(text[at:], s.value) {
			continue
		}
		if after, _ := utf8.DecodeRuneInString(text[at+len(s.value):]); !isWord(after) {
			return s, true
		}
	}
	return stead{}, false
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// out puts the values back.
func (all steads) out(text string) string {
	for _, s := range all {
		text = strings.ReplaceAll(text, s.name, s.value)
	}
	return text
}

// shared are those that other has too.
func (all steads) shared(other steads) steads {
	return slices.DeleteFunc(slices.Clone(all), func(s stead) bool { return !slices.Contains(other, s) })
}

// named lists the names of those that a text has, each once.
func (all steads) named(text string) []string {
	var found []string
	for _, s := range all {
		if strings.Contains(text, s.name) {
			found = append(found, s.name)
		}
	}
	return found
}
