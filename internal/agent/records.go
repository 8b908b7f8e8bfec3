package agent

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

// Records is the ledger, as far as it is about the clusters of an agent's site: the server reads and writes it.
type Records struct {
	server grpc.ClientConnInterface
	link   grpc.ClientConnInterface // blobs are streams, which take as long as they take
	cuts   cuts
	spool  *spool // of what cannot be reported
}

// cuts are the bodies that the server has cut down to the site, by their digests: no blob of the ledger has those.
type cuts struct {
	mu     sync.Mutex
	order  []string
	bodies map[string][]byte
}

const mostCuts = 64

func (c *cuts) keep(data []byte) string {
	digest := ledger.Digest(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bodies == nil {
		c.bodies = map[string][]byte{}
	}
	if _, there := c.bodies[digest]; there {
		return digest
	}
	if len(c.order) >= mostCuts {
		delete(c.bodies, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
	c.order, c.bodies[digest] = append(c.order, digest), data
	return digest
}

func (c *cuts) find(digest string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, there := c.bodies[digest]
	return data, there
}

// Plan is ledger.Plans' method. The body is that of the site.
func (r *Records) Plan(ctx context.Context, hash string) (ledger.Plan, error) {
	out, err := uplink.Plan.Call(ctx, r.server, hash)
	if err != nil {
		return ledger.Plan{}, err
	}
	out.Plan.Body = r.cuts.keep(out.Body)
	return out.Plan, nil
}

// Run is ledger.Runs' method. Live is that of the site.
func (r *Records) Run(ctx context.Context, name string) (ledger.Run, error) {
	out, err := uplink.Run.Call(ctx, r.server, name)
	if err != nil {
		return ledger.Run{}, err
	}
	if len(out.Live) > 0 {
		out.Run.Live = r.cuts.keep(out.Live)
	}
	return out.Run, nil
}

// Blob is ledger.Blobs' method.
func (r *Records) Blob(ctx context.Context, digest string) ([]byte, error) {
	if data, there := r.cuts.find(digest); there {
		return data, nil
	}
	return uplink.Blob(ctx, r.link, digest)
}

// PutBlob is ledger.Blobs' method.
func (r *Records) PutBlob(ctx context.Context, data []byte) (string, error) {
	if err := ledger.CheckBlob(data); err != nil {
		return "", err
	}
	return uplink.PutBlob(ctx, r.link, data)
}

// Overtaken is ledger.Runs' method.
func (r *Records) Overtaken(ctx context.Context, name string) (ledger.Run, error) {
	return uplink.Overtaken.Call(ctx, r.server, name)
}

// ListRuns is ledger.Runs' method.
func (r *Records) ListRuns(ctx context.Context, subject api.Subject, limit int) ([]ledger.Run, error) {
	return uplink.ListRuns.Call(ctx, r.server, uplink.RunsAsked{Subject: subject, Limit: limit})
}

// Deployment is ledger.Deployments' method.
func (r *Records) Deployment(ctx context.Context, cluster string, subject api.Subject) (ledger.Deployment, error) {
	return uplink.Deployment.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Subject: subject})
}

// PastDeployment is ledger.Deployments' method.
func (r *Records) PastDeployment(ctx context.Context, cluster string, subject api.Subject, target string) (ledger.Deployment, error) {
	return uplink.PastDeployment.Call(ctx, r.server, uplink.PastAsked{Unit: uplink.Unit{Cluster: cluster, Subject: subject}, Target: target})
}

// SaveDeployment is ledger.Deployments' method.
func (r *Records) SaveDeployment(ctx context.Context, d ledger.Deployment) error {
	_, err := uplink.SaveDeployment.Call(ctx, r.server, d)
	return err
}

// RemoveDeployment is ledger.Deployments' method.
func (r *Records) RemoveDeployment(ctx context.Context, cluster string, subject api.Subject, run string) error {
	_, err := uplink.RemoveDeployment.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Subject: subject, Run: run})
	return err
}

// ListWrites is ledger.Writes' method.
func (r *Records) ListWrites(ctx context.Context, run, cluster string) ([]ledger.Write, error) {
	return uplink.ListWrites.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Run: run})
}

// ListMade is ledger.Writes' method.
func (r *Records) ListMade(ctx context.Context, cluster string, subject api.Subject) ([]ledger.Write, error) {
	return uplink.ListMade.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Subject: subject})
}

// SaveWrite is ledger.Writes' method. An intent has to be heard before anything is written. An outcome is reported later where the link is
// down.
func (r *Records) SaveWrite(ctx context.Context, w ledger.Write) error {
	_, err := uplink.SaveWrite.Call(ctx, r.server, w)
	if w.ResourceVersion == "" {
		return err
	}
	return r.report(ctx, uplink.Report{Write: &w}, err)
}

// report keeps what could not be reported as the link is down, for later.
func (r *Records) report(ctx context.Context, report uplink.Report, err error) error {
	if fault.CodeOf(err) != fault.Unreachable || ctx.Err() != nil {
		return err
	}
	return r.spool.add(report, err)
}

// ListPreImages is ledger.PreImages' method.
func (r *Records) ListPreImages(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.PreImage, error) {
	return uplink.ListPreImages.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Subject: subject, Run: run})
}

// ListEraWrites is ledger.PreImages' method.
func (r *Records) ListEraWrites(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.Write, error) {
	return uplink.ListEraWrites.Call(ctx, r.server, uplink.Unit{Cluster: cluster, Subject: subject, Run: run})
}

// SavePreImage is ledger.PreImages' method.
func (r *Records) SavePreImage(ctx context.Context, p ledger.PreImage) error {
	_, err := uplink.SavePreImage.Call(ctx, r.server, p)
	return err
}

// EndPreImages is ledger.PreImages' method.
func (r *Records) EndPreImages(ctx context.Context, run, cluster string, subject api.Subject, by string) error {
	_, err := uplink.EndPreImages.Call(ctx, r.server, uplink.EndAsked{Unit: uplink.Unit{Cluster: cluster, Subject: subject, Run: run}, By: by})
	return err
}

// NextFence is ledger.Fences' method.
func (r *Records) NextFence(ctx context.Context, cluster string, subject api.Subject, floor int64) (int64, error) {
	return uplink.NextFence.Call(ctx, r.server, uplink.FenceAsked{Unit: uplink.Unit{Cluster: cluster, Subject: subject}, Floor: floor})
}

// SaveObservation is ledger.Observations' method. It is reported later where the link is down.
func (r *Records) SaveObservation(ctx context.Context, o ledger.Observation) error {
	_, err := uplink.SaveObservation.Call(ctx, r.server, o)
	return r.report(ctx, uplink.Report{Observation: &o}, err)
}

// ListObservations is ledger.Observations' method.
func (r *Records) ListObservations(ctx context.Context, subject api.Subject) ([]ledger.Observation, error) {
	return uplink.ListObservations.Call(ctx, r.server, subject)
}
