package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Report is what report.json holds.
type Report struct {
	AsTold   bool      `json:"asTold"` // everything happened as the demo says
	Reason   string    `json:"reason,omitempty"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Seconds  float64   `json:"seconds"`
	UI       string    `json:"ui"` // of Temporal
	Runs     []Rolled  `json:"runs"`
	Blocked  []Blocked `json:"blocked"`
	Clusters []Cluster `json:"clusters"` // as the witness read them at the end
	Proof    Proof     `json:"proof"`
}

// Rolled is a run as `sluice get` says it went.
type Rolled struct {
	Name      string    `json:"name"`
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Pipeline  string    `json:"pipeline"`
	Plan      string    `json:"plan"`
	Phase     string    `json:"phase"`
	ExitCode  int       `json:"exitCode"`
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended"`
	Units     []Unit    `json:"units"` // in the order in which they moved, then those that did not
}

// Unit is a cluster of a run.
type Unit struct {
	Path     string    `json:"path"`
	Stage    string    `json:"stage"`
	Group    string    `json:"group"`
	Cluster  string    `json:"cluster"`
	Phase    string    `json:"phase"`
	Moved    bool      `json:"moved"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Verdicts []Verdict `json:"verdicts"` // of the cluster itself
	Batches  []Batch   `json:"batches"`
	Blocked  *Blocked  `json:"blocked,omitempty"`
}

// Batch is a batch of a unit.
type Batch struct {
	Path     string    `json:"path"`
	Workload string    `json:"workload"`
	Number   int       `json:"number"`
	Size     int       `json:"size"`
	Target   int       `json:"target"`
	Total    int       `json:"total"`
	Phase    string    `json:"phase"`
	Skipped  string    `json:"skipped,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is the last verdict of a check at a point.
type Verdict struct {
	Check   string         `json:"check"`
	At      string         `json:"at"`
	Verdict string         `json:"verdict"`
	Message string         `json:"message,omitempty"`
	Seen    map[string]any `json:"seen,omitempty"`
}

// Blocked is a check that stopped a unit.
type Blocked struct {
	Run     string         `json:"run"`
	Cluster string         `json:"cluster"`
	At      string         `json:"at"` // path of the batch or unit
	Check   string         `json:"check"`
	Verdict string         `json:"verdict"`
	Message string         `json:"message"`
	Seen    map[string]any `json:"seen,omitempty"`
}

// Cluster is what a cluster runs, as the witness read it.
type Cluster struct {
	Name       string            `json:"name"`
	Components map[string]string `json:"components"` // name -> version and pods
}

// Proof is what the witness saw, by itself.
type Proof struct {
	MostUnavailable int         `json:"mostUnavailable"` // pods of the node agent in a cluster, while version 2 went through
	MostBad         int         `json:"mostBad"`         // pods of a bad version, ever
	Untouched       []Untouched `json:"untouched"`       // while bad versions were tried
}

// Untouched is a cluster in which pods have the same UIDs, and objects the same resource versions, as before.
type Untouched struct {
	Cluster string `json:"cluster"`
	Pods    int    `json:"pods"`
	Objects int    `json:"objects"`
}

// moved are the batches of a cluster that moved something.
func (r Rolled) moved(cluster string) []Batch {
	var moved []Batch
	for _, u := range r.Units {
		for _, b := range u.Batches {
			if u.Cluster == cluster && b.Skipped == "" {
				moved = append(moved, b)
			}
		}
	}
	return moved
}

func rolledOf(s api.RunStatus, code int) Rolled {
	r := Rolled{
		Name: s.Name, Component: s.Subject.String(), Version: s.Version, Pipeline: s.Pipeline, Plan: s.Plan,
		Phase: string(s.Phase), ExitCode: code, Started: s.Started, Ended: s.Ended, Units: []Unit{},
	}
	units := map[string]Unit{}
	var order []string
	order = append(order, s.Moves...)
	for _, st := range s.Stages {
		for _, u := range st.Units {
			units[u.Path] = unitOf(s.Name, u)
			order = append(order, u.Path)
		}
	}
	for _, path := range order {
		if u, left := units[path]; left {
			r.Units = append(r.Units, u)
			delete(units, path)
		}
	}
	return r
}

func unitOf(run string, s api.UnitStatus) Unit {
	u := Unit{
		Path: s.Path, Stage: s.Stage, Group: s.Group, Cluster: s.Cluster, Phase: string(s.Phase), Moved: s.Moved,
		Started: s.Started, Ended: s.Ended, Verdicts: verdictsOf(s.Checks), Batches: []Batch{},
	}
	for _, b := range s.Batches {
		u.Batches = append(u.Batches, Batch{
			Path: b.Path, Workload: b.Workload, Number: b.Number, Size: b.Size, Target: b.Target, Total: b.Total,
			Phase: string(b.Phase), Skipped: b.Skipped, Started: b.Started, Ended: b.Ended, Verdicts: verdictsOf(b.Checks),
		})
	}
	if f := s.Failure; f != nil {
		u.Blocked = &Blocked{
			Run: run, Cluster: s.Cluster, At: s.FailedAt, Check: f.Name, Verdict: string(f.Verdict), Message: f.Message, Seen: f.Seen,
		}
	}
	return u
}

func verdictsOf(checks []api.Check) []Verdict {
	list := []Verdict{}
	for _, c := range checks {
		list = append(list, Verdict{Check: c.Name, At: string(c.At), Verdict: string(c.Verdict), Message: c.Message, Seen: c.Seen})
	}
	return list
}

// sum reads what every cluster runs, and prints it.
func (p *play) sum(ctx context.Context) error {
	seen, err := p.look(ctx)
	if err != nil {
		return err
	}
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "\nCLUSTER\t%s\n", strings.ToUpper(strings.Join(watched, "\t")))
	for _, name := range p.shape.clusters {
		c := Cluster{Name: name, Components: map[string]string{}}
		var row []string
		for _, component := range watched {
			c.Components[component] = seen[name].In(component).Running()
			row = append(row, c.Components[component])
		}
		p.report.Clusters = append(p.report.Clusters, c)
		fmt.Fprintf(tw, "%s\t%s\n", name, strings.Join(row, "\t"))
	}
	tw.Flush()
	p.print(text.String())
	return nil
}

func (r *Report) finish(failed error) {
	r.Ended = time.Now().UTC()
	r.Seconds = r.Ended.Sub(r.Started).Seconds()
	r.AsTold = failed == nil
	if failed != nil {
		r.Reason = failed.Error()
	}
}

// write writes the report, whole or not at all.
func (r *Report) write(path string) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode the report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot make the report's folder: %w", err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, append(body, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}
