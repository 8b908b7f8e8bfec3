package probe

import (
	"errors"
	"net/netip"
)

var errReserved = errors.New("the address is link-local or of a cloud's metadata service, which a probe asks only where it says so")

// reserved are the addresses under which clouds hand out identities to whoever asks from a machine of theirs, beside the link-local
// ones, and the prefixes under which a link-local address of IPv4 is reached by IPv6.
var (
	metadata = []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"),   // Amazon
		netip.MustParseAddr("fd20:ce::254"),    // Google
		netip.MustParseAddr("100.100.100.200"), // Alibaba
		netip.MustParseAddr("168.63.129.16"),   // Azure
		netip.MustParseAddr("192.0.0.192"),     // Oracle
	}
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// Reserved reports whether an address is one that probes do not ask unless they are told to: link-local ones, and those of the
// metadata services of clouds. A change that could make a worker ask these would read the worker's own identity.
func Reserved(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
		return true
	}
	for _, m := range metadata {
		if a == m {
			return true
		}
	}
	return false
}
