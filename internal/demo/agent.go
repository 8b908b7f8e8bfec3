package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// site is where the clusters of the demo are: one agent does the work near all of them.
const site = "here"

// startAgent gives the installation a fleet whose clusters are of a site, and has an agent of that site come in.
func (p *play) startAgent(ctx context.Context) error {
	dir := filepath.Join(p.o.Dir, "agent")
	fleet := filepath.Join(dir, "fleet")
	if err := p.writeFleet(fleet); err != nil {
		return err
	}
	first := p.sluice(ctx, "apply", "-f", near(fleet))
	p.print("\n$ sluice " + strings.Join(typed(first), " "))
	if code, err := p.shown(first); err != nil || code != exitDone {
		return fmt.Errorf("sluice apply ended with exit code %d: %w", code, err)
	}
	// It is a secret, and goes to no terminal.
	enroll := p.sluice(ctx, "cluster", "enroll", p.shape.clusters[0], "--agent", site)
	p.print("\n$ sluice " + strings.Join(typed(enroll), " ") + " > " + near(filepath.Join(dir, "token")))
	enroll.Stderr = p.o.Stderr
	invitation, err := enroll.Output()
	if err != nil {
		return fmt.Errorf("cannot invite an agent: %w", err)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, invitation, 0o600); err != nil {
		return fmt.Errorf("cannot write the invitation: %w", err)
	}
	reports, err := freeAddress()
	if err != nil {
		return err
	}
	path := filepath.Join(p.o.Out, "agent.log")
	log, err := createLog(path)
	if err != nil {
		return err
	}
	defer log.Close()
	// It outlives this step, and is stopped when the play cleans up.
	cmd := p.command(context.WithoutCancel(ctx), "sluice", "agent", "--server", p.agents, "--state", filepath.Join(dir, "state"),
		"--token-file", token, "--kubeconfig", p.stack.Kubeconfig, "--probes", "--probes-listen", reports, "--probes-url", "http://"+reports)
	if p.agent, err = begin(cmd, log); err != nil {
		return err
	}
	p.print("\n$ sluice " + strings.Join(cmd.Args[1:], " ") + " &")
	agent := p.agent
	go func() {
		<-agent.done
		p.fail(fmt.Errorf("the agent has ended (%v): see %s", agent.err, path))
	}()
	return p.there(ctx, path)
}

// writeFleet writes the fleet of the examples, with the demo's clusters at the site.
func (p *play) writeFleet(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the fleet: %w", err)
	}
	for _, name := range []string{"fleet.yaml", "clusters.yaml"} {
		text, err := os.ReadFile(filepath.Join(p.o.Examples, "fleet", name))
		if err != nil {
			return fmt.Errorf("cannot read the fleet of the examples: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(p.shape.atSite(string(text))), 0o600); err != nil {
			return fmt.Errorf("cannot write the fleet of the demo: %w", err)
		}
	}
	return nil
}

// atSite puts the clusters that the demo starts at its site.
func (s shape) atSite(fleet string) string {
	for _, name := range s.clusters {
		head := "metadata: {name: " + name + "}\nspec:\n"
		fleet = strings.Replace(fleet, "kind: Cluster\n"+head, "kind: Cluster\n"+head+"  site: "+site+"\n", 1)
	}
	return fleet
}

// there waits until the agent is, and reaches every cluster.
func (p *play) there(ctx context.Context, log string) error {
	for {
		var all []member
		out, err := p.sluice(ctx, "get", "agents", "-o", "json").Output()
		if err == nil {
			err = json.Unmarshal(out, &all)
		}
		if err == nil && slices.ContainsFunc(all, func(m member) bool { return m.reaches(p.shape.clusters) }) {
			_, err := p.shown(p.sluice(ctx, "get", "agents"))
			return err
		}
		if waited := pause(ctx, 300*time.Millisecond); waited != nil {
			return fmt.Errorf("the agent is not there, or reaches not all clusters (%v): see %s: %w", err, log, waited)
		}
	}
}

// member is an agent as `sluice get agents` says of it.
type member struct {
	State    string `json:"state"`
	Clusters []struct {
		Name    string `json:"name"`
		Problem string `json:"problem"` // why it is not reached
	} `json:"clusters"`
}

// reaches reports whether an agent is there, and reaches clusters.
func (m member) reaches(clusters []string) bool {
	reached := map[string]bool{}
	for _, c := range m.Clusters {
		reached[c.Name] = c.Problem == ""
	}
	return m.State == "There" && !slices.ContainsFunc(clusters, func(name string) bool { return !reached[name] })
}
