package stack

import (
	"net"
	"net/netip"
	"testing"
)

func TestClaimGivesDistinctBlocks(t *testing.T) {
	slots := []int{0, 1, 2}
	taken := map[int]bool{}
	for range 5 {
		ports, listener, err := Claim(Ports{}, slots)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		for _, port := range append(ports.used(slots), ports.Base) {
			if taken[port] {
				t.Fatalf("port %d belongs to two stacks", port)
			}
			taken[port] = true
		}
	}
}

func TestClaimKeepsWhatItRemembers(t *testing.T) {
	first, listener, err := Claim(Ports{}, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	again, listener, err := Claim(first, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if again != first {
		t.Errorf("ports moved from %v to %v though they are free", first, again)
	}

	other, err := net.Listen("tcp", Loopback(first.Cluster(0).API))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	moved, listener, err := Claim(first, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if moved == first {
		t.Errorf("ports stayed at %v though one of them is taken", first)
	}
}

func TestClaimIgnoresNonsense(t *testing.T) {
	for _, base := range []int{-1, 80, firstPort + 1, lastPort} {
		ports, listener, err := Claim(Ports{Base: base}, nil)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		if ports.Base == base {
			t.Errorf("base %d is no block, and was claimed", base)
		}
	}
}

func TestPortsOfABlockAreDistinct(t *testing.T) {
	p := Ports{Base: firstPort}
	slots := make([]int, MaxClusters)
	for i := range slots {
		slots[i] = i
	}
	seen := map[int]bool{p.Base: true}
	for _, port := range p.used(slots) {
		if seen[port] || port < p.Base || port >= p.Base+blockSize {
			t.Fatalf("port %d is used twice or outside its block", port)
		}
		seen[port] = true
	}
}

func TestPodAddressesOfClustersAreDistinct(t *testing.T) {
	loopback, seen := netip.MustParsePrefix("127.64.0.0/10"), map[netip.Prefix]bool{}
	for base := firstPort; base+blockSize-1 <= lastPort; base += blockSize {
		for slot := range MaxClusters {
			addresses := Ports{Base: base}.PodAddresses(slot)
			if seen[addresses] || !loopback.Contains(addresses.Addr()) || addresses != addresses.Masked() || addresses.Bits() != 22 {
				t.Fatalf("pods of cluster %d at port %d have %s", slot, base, addresses)
			}
			seen[addresses] = true
		}
	}
}
