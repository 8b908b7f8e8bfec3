// Package identity says how far a name can be trusted. One that nobody has proven to a server is what a machine's git or login says,
// and whoever has the machine may say otherwise. The mark is part of the name, so that it is seen wherever
// the name is shown, stored or compared.
package identity

import "strings"

const mark = " (unverified)"

// Unverified marks a name that nobody has proven. One that is marked already, and no name at all, stay as they are.
func Unverified(name string) string {
	if name == "" || strings.HasSuffix(name, mark) {
		return name
	}
	return name + mark
}

// Same reports whether two names are meant to be one person's: neither a mark nor upper case makes another person.
func Same(a, b string) bool { return bare(a) == bare(b) }

// MaybeSame reports whether two names may be one person's: those of Same, and one mail address that two issuers vouch for, or nobody. It
// keeps people from what takes two of them; it gives nobody what another may do.
func MaybeSame(a, b string) bool { return Same(a, b) || address(a) != "" && address(a) == address(b) }

// address is the mail address in a name; "" where it has none.
func address(name string) string {
	name = bare(name)
	if _, after, found := strings.Cut(name, ":"); found {
		name = after
	}
	if local, domain, found := strings.Cut(name, "@"); !found || local == "" || domain == "" || strings.ContainsAny(name, ": /") {
		return ""
	}
	return name
}

func bare(name string) string {
	return strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(name, mark), robot)))
}

// Verified reports whether a name is known for sure.
func Verified(name string) bool { return name != "" && !strings.HasSuffix(name, mark) }
