package permit_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/pipelines"
)

// TestWhoMayEnter: each row asks for c1 in rack r7 as agent-2, in turn 9.
func TestWhoMayEnter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	unit := func(run, cluster string, turn int64, change ...func(*permit.Permit)) permit.Permit {
		p := permit.Permit{Run: run, Subject: api.Component("proxy"), Cluster: cluster, Domains: []string{"rack=r7"}, Turn: turn, Seen: now}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	in := func(p *permit.Permit) { p.Entered = now }
	bad := func(p *permit.Permit) { p.Trouble = "pods Failed" }
	far := func(p *permit.Permit) { p.Domains = []string{"rack=r8"} }
	gone := func(p *permit.Permit) { p.Seen = now.Add(-permit.WaiterLives - time.Second) }
	agent := func(p *permit.Permit) { p.Subject = api.Component("agent") }
	limit := func(domain string, units int, on pipelines.OnConflict) []permit.Limit {
		return []permit.Limit{{Name: "few", Domain: domain, Units: units, OnConflict: on}}
	}
	rack := limit("rack", 1, pipelines.ConflictQueue)
	for reason, c := range map[string]struct {
		change  func(*permit.Permit)
		others  []permit.Permit
		limits  []permit.Limit
		why     string
		refused bool
		passes  int
	}{
		"nobody is there":                        {limits: rack},
		"trouble in its cluster":                 {others: []permit.Permit{unit("proxy-1", "c1", 1, in, bad, far)}, why: "proxy-1 is in trouble in c1 (cluster c1): pods Failed"},
		"trouble in its rack":                    {others: []permit.Permit{unit("proxy-1", "c2", 1, in, bad)}, why: "proxy-1 is in trouble in c2 (rack=r7): pods Failed"},
		"trouble elsewhere":                      {others: []permit.Permit{unit("proxy-1", "c2", 1, in, bad, far)}},
		"trouble of its own run":                 {others: []permit.Permit{unit("agent-2", "c2", 1, in, bad)}},
		"one without trouble is no hindrance":    {others: []permit.Permit{unit("proxy-1", "c1", 1, in)}},
		"it goes back":                           {change: func(p *permit.Permit) { p.Back = true }, others: []permit.Permit{unit("proxy-1", "c1", 1, in, bad)}, limits: rack},
		"a person let it in":                     {change: func(p *permit.Permit) { p.LetIn = &permit.Let{} }, others: []permit.Permit{unit("proxy-1", "c1", 1, in, bad)}},
		"it is in already":                       {change: in, others: []permit.Permit{unit("proxy-1", "c1", 1, in, bad)}, limits: rack},
		"the rack is full":                       {others: []permit.Permit{unit("proxy-1", "c2", 1, in)}, limits: rack, why: "limit few: 1 of 1 units of rack=r7 change now, first proxy-1 in c2"},
		"its own run fills the rack":             {others: []permit.Permit{unit("agent-2", "c2", 1, in)}, limits: rack, why: "limit few: 1 of 1 units of rack=r7 change now, first agent-2 in c2"},
		"another rack is full":                   {others: []permit.Permit{unit("proxy-1", "c2", 1, in, far)}, limits: rack},
		"it has no such label":                   {others: []permit.Permit{unit("proxy-1", "c2", 1, in)}, limits: limit("switch", 1, pipelines.ConflictQueue)},
		"its cluster is full":                    {others: []permit.Permit{unit("proxy-1", "c1", 1, in)}, limits: limit("cluster", 1, pipelines.ConflictQueue), why: "limit few: 1 of 1 units of cluster c1 change now, first proxy-1 in c1"},
		"there is room for another":              {others: []permit.Permit{unit("proxy-1", "c2", 1, in)}, limits: limit("rack", 2, pipelines.ConflictQueue)},
		"somebody asked before it":               {others: []permit.Permit{unit("proxy-1", "c2", 1)}, limits: rack, why: "limit few: 0 of 1 units of rack=r7 change now, first proxy-1 in c2; 1 wait before it"},
		"somebody asked after it":                {others: []permit.Permit{unit("proxy-1", "c2", 10)}, limits: rack},
		"who asked before it asks no more":       {others: []permit.Permit{unit("proxy-1", "c2", 1, gone)}, limits: rack},
		"who asked before it is kept out itself": {others: []permit.Permit{unit("proxy-1", "c2", 1, func(p *permit.Permit) { p.Domains = append(p.Domains, "switch=s") }), unit("dns-1", "c9", 2, in, bad, func(p *permit.Permit) { p.Domains = []string{"switch=s"} })}, limits: rack},
		"a limit that refuses":                   {others: []permit.Permit{unit("proxy-1", "c2", 1, in)}, limits: limit("rack", 1, pipelines.ConflictRefuse), refused: true},
		"a limit that refuses, for its own run":  {others: []permit.Permit{unit("agent-2", "c2", 1, in)}, limits: limit("rack", 1, pipelines.ConflictRefuse), why: "limit few: 1 of 1 units of rack=r7 change now, first agent-2 in c2"},
		"one that was refused is no hindrance":   {others: []permit.Permit{unit("proxy-1", "c2", 1, func(p *permit.Permit) { p.Refused = true })}, limits: rack},
		"it takes the turn of its component":     {others: []permit.Permit{unit("proxy-1", "c3", 1, in), unit("agent-1", "c2", 2, agent)}, limits: limit("rack", 1, pipelines.ConflictSupersede), passes: 1, why: "limit few: 1 of 1 units of rack=r7 change now, first proxy-1 in c3"},
		"and not that of another":                {others: []permit.Permit{unit("proxy-1", "c2", 1)}, limits: limit("rack", 1, pipelines.ConflictSupersede), why: "limit few: 0 of 1 units of rack=r7 change now, first proxy-1 in c2; 1 wait before it"},
		"somebody took its turn":                 {change: func(p *permit.Permit) { p.Passed = "agent-3" }, refused: true},
	} {
		own := unit("agent-2", "c1", 9, agent)
		if c.change != nil {
			c.change(&own)
		}
		got, err := permit.Admit(own, c.others, c.limits, now)
		if got.Why != c.why || (fault.CodeOf(err) == fault.Refused) != c.refused || len(got.Passes) != c.passes {
			t.Errorf("%s: %q, %d passed, %v; want %q, %d, refused %v", reason, got.Why, len(got.Passes), err, c.why, c.passes, c.refused)
		}
	}
}
