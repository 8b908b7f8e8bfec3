package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

var serverAgents = shared(family(ofServer, gauge, "sluice_server_agents",
	"Agents that were let in, by whether they are there: There, Silent, Ended, Awaited or Revoked. Every server says it of all of them.",
	"state"))

func shared(f *Family) *Family {
	f.shared = true
	return f
}

// agents says, each time that it is asked, how many agents are in which state.
type agents struct{ read func() map[string]int }

// Agents has it be shown in which states agents are. Where that cannot be read nothing is shown. It is called once at most.
func (s *Server) Agents(read func() map[string]int) { s.registry.MustRegister(agents{read}) }

// Describe implements prometheus.Collector.
func (agents) Describe(to chan<- *prometheus.Desc) { to <- serverAgents.desc }

// Collect implements prometheus.Collector.
func (a agents) Collect(to chan<- prometheus.Metric) {
	for state, n := range a.read() {
		to <- serverAgents.is(float64(n), state)
	}
}
