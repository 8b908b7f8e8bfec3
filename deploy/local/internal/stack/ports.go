package stack

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// A stack owns one aligned block of ports below the range that systems hand
// out for outgoing connections. Whoever listens on the first port of a block
// owns the block, so two stacks on one machine never share a port.
const (
	firstPort  = 20480
	lastPort   = 32767
	blockSize  = 256
	blockCount = (lastPort + 1 - firstPort) / blockSize

	temporalOffset  = 1
	clusterOffset   = 16
	portsPerCluster = 5
	podAddressBits  = 10
)

// Ports is the block of ports that a stack owns.
type Ports struct {
	Base int `json:"base"`
}

// ClusterPorts are the ports of one cluster.
type ClusterPorts struct {
	API, EtcdClient, EtcdPeer int
	// Kubelet is where the simulated nodes are reached, Node where the process node is.
	Kubelet, Node int
}

// TemporalPorts are the ports of the Temporal server.
type TemporalPorts struct {
	Frontend, HTTP, History, Matching, Worker, UI int
}

// Cluster returns the ports of the cluster in a slot.
func (p Ports) Cluster(slot int) ClusterPorts {
	first := p.Base + clusterOffset + slot*portsPerCluster
	return ClusterPorts{API: first, EtcdClient: first + 1, EtcdPeer: first + 2, Kubelet: first + 3, Node: first + 4}
}

// PodAddresses returns the loopback addresses of the pods of one cluster's process node: 1,024 in 127.64.0.0/10, as no
// other cluster on this machine has them.
func (p Ports) PodAddresses(slot int) netip.Prefix {
	cluster := (p.Base-firstPort)/blockSize*MaxClusters + slot
	return netip.PrefixFrom(addressAt([4]byte{127, 64, 0, 0}, cluster<<podAddressBits), 32-podAddressBits)
}

// Temporal returns the ports of the Temporal server.
func (p Ports) Temporal() TemporalPorts {
	first := p.Base + temporalOffset
	return TemporalPorts{
		Frontend: first, HTTP: first + 1, History: first + 2,
		Matching: first + 3, Worker: first + 4, UI: first + 5,
	}
}

// Claim takes a block of ports: the remembered one if all its ports are free,
// otherwise another. The listener holds the block until it is closed. Slots
// are the clusters that will be started.
func Claim(remembered Ports, slots []int) (Ports, net.Listener, error) {
	if remembered.valid() {
		// Processes of a stack that was just killed may need a moment to go.
		for range 20 {
			if l, ok := remembered.claim(slots); ok {
				return remembered, l, nil
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	for _, block := range rand.Perm(blockCount) {
		p := Ports{Base: firstPort + block*blockSize}
		if l, ok := p.claim(slots); ok {
			return p, l, nil
		}
	}
	return Ports{}, nil, fmt.Errorf("cannot find free ports: every block between %d and %d is in use", firstPort, lastPort)
}

func (p Ports) valid() bool {
	return p.Base >= firstPort && p.Base+blockSize-1 <= lastPort && (p.Base-firstPort)%blockSize == 0
}

func (p Ports) claim(slots []int) (net.Listener, bool) {
	owner, err := net.Listen("tcp", Loopback(p.Base))
	if err != nil {
		return nil, false
	}
	for _, port := range p.used(slots) {
		l, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			owner.Close()
			return nil, false
		}
		l.Close()
	}
	return owner, true
}

func (p Ports) used(slots []int) []int {
	t := p.Temporal()
	ports := []int{t.Frontend, t.HTTP, t.History, t.Matching, t.Worker, t.UI}
	for _, slot := range slots {
		c := p.Cluster(slot)
		ports = append(ports, c.API, c.EtcdClient, c.EtcdPeer, c.Kubelet, c.Node)
	}
	return ports
}

// Loopback returns the loopback address of a port.
func Loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
