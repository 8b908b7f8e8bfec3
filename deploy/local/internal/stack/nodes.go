package stack

import (
	"fmt"
	"net/netip"
)

// GeneralPool is the pool of every node that no other pool claims.
const GeneralPool = "general"

// Node is one simulated node of a cluster.
type Node struct {
	Name    string
	Pool    string
	Zone    string
	PodCIDR string
	IP      string
}

// NodesOf lists the nodes of a cluster. The slot is the cluster's number within
// its stack: pod ranges and node addresses of different slots do not overlap.
func (s Shape) NodesOf(cluster string, slot int) []Node {
	nodes := make([]Node, s.Nodes)
	for i := range nodes {
		nodes[i] = Node{
			Name:    fmt.Sprintf("%s-node-%02d", cluster, i+1),
			Pool:    s.poolOf(i),
			Zone:    string(rune('a' + i%3)),
			PodCIDR: podRange(slot, i),
			IP:      nodeAddress(slot, i),
		}
	}
	return nodes
}

func (s Shape) poolOf(i int) string {
	for _, p := range s.Pools {
		if i < p.Nodes {
			return p.Name
		}
		i -= p.Nodes
	}
	return GeneralPool
}

// podRange gives each node a /25 of 10.0.0.0/8: 126 addresses for 110 pods.
func podRange(slot, node int) string {
	return netip.PrefixFrom(addressAt([4]byte{10, 0, 0, 0}, (slot*2048+node)*128), 25).String()
}

func nodeAddress(slot, node int) string {
	return addressAt([4]byte{172, 16, 0, 0}, slot*2048+node+1).String()
}

func addressAt(base [4]byte, offset int) netip.Addr {
	n := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	n += uint32(offset)
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
