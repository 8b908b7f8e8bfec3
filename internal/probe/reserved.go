package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

var errReserved = errors.New("the address is link-local or of a cloud's metadata service")

// metadata are the addresses under which clouds hand out identities to whoever asks from a machine of theirs, beside the link-local
// ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// carriers are the prefixes under which an address of IPv4 is reached by IPv6, and at which bytes it stands.
var carriers = []struct {
	prefix netip.Prefix
	at     [][4]int
}{
	{netip.MustParsePrefix("::/96"), [][4]int{last}},           // compatible, RFC 4291
	{netip.MustParsePrefix("::ffff:0:0:0/96"), [][4]int{last}}, // translated, RFC 2765
	{netip.MustParsePrefix("64:ff9b::/96"), [][4]int{last}},    // NAT64, RFC 6052
	// NAT64 of a network's own, RFC 8215: who set it up chose how long its prefix is, and with it where the address stands.
	{netip.MustParsePrefix("64:ff9b:1::/48"), [][4]int{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, last}},
	{netip.MustParsePrefix("2002::/16"), [][4]int{{2, 3, 4, 5}}}, // 6to4, RFC 3056
	{teredo, [][4]int{{4, 5, 6, 7}}},                             // its server; its client is below
}

var (
	last   = [4]int{12, 13, 14, 15}
	teredo = netip.MustParsePrefix("2001::/32") // RFC 4380
)

// isatap is the half of an address, whatever its prefix, that says that the rest is one of IPv4; its bit for a universal identifier
// is left out. RFC 5214.
const isatap = 0x00005efe

// Reserved reports whether an address is one that is not asked unless somebody says why: link-local ones, and those of the metadata
// services of clouds. A change that could make a worker ask these would read the worker's own identity.
func Reserved(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(append(carried(a), a), func(a netip.Addr) bool {
		return a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || slices.Contains(metadata, a)
	})
}

// carried are the addresses of IPv4 that an address of IPv6 may stand for.
func carried(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	var all []netip.Addr
	for _, c := range carriers {
		if !c.prefix.Contains(a) {
			continue
		}
		for _, at := range c.at {
			all = append(all, netip.AddrFrom4([4]byte{b[at[0]], b[at[1]], b[at[2]], b[at[3]]}))
		}
	}
	if teredo.Contains(a) {
		all = append(all, netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	if binary.BigEndian.Uint32(b[8:])&^0x02000000 == isatap {
		all = append(all, netip.AddrFrom4([4]byte(b[12:])))
	}
	return all
}

// Allowed refuses an address, IP:PORT, that is reserved. Who asks it of what is connected to is led there by no name and no redirect.
func Allowed(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot read the address %s: %w", address, err)
	}
	if Reserved(to.Addr()) {
		return errReserved
	}
	return nil
}
