package supervisor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/deploy/local/internal/kubeconfig"
	"sluice.dev/sluice/deploy/local/internal/pki"
	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// cluster is a control plane with its simulated nodes.
type cluster struct {
	name    string
	dir     string
	ports   stack.ClusterPorts
	nodes   []stack.Node
	process processNode
	secrets pki.Secrets
	client  kubernetes.Interface
	parts   map[string]*proc.Process
}

// partUsers are the parts that reach the API server, and as whom.
var partUsers = map[string]string{
	stack.ControllerManager: pki.ControllerManager,
	stack.Scheduler:         pki.Scheduler,
	stack.Kwok:              pki.Kwok,
	stack.ProcessNode:       pki.Node,
}

// newCluster writes the cluster's files. It starts nothing.
func newCluster(
	folder stack.Folder, name string, ports stack.ClusterPorts, nodes []stack.Node, process processNode,
) (*cluster, error) {
	c := &cluster{
		name: name, dir: folder.Cluster(name), ports: ports, nodes: nodes, process: process, parts: map[string]*proc.Process{},
	}
	var err error
	if c.secrets, err = pki.Ensure(c.path("certs")); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.path("etcd"), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make data folder: %w", err)
	}
	if err := stack.WriteFile(c.path("audit-policy.yaml"), []byte(auditPolicy)); err != nil {
		return nil, err
	}
	for part, user := range partUsers {
		if err := kubeconfig.Write(c.partKubeconfig(part), []kubeconfig.Context{c.as(user)}); err != nil {
			return nil, err
		}
	}
	// Probing and making nodes must not wait for a client-side limit.
	c.client, err = kubernetes.NewForConfig(&rest.Config{
		Host:            c.server(),
		BearerToken:     c.secrets.Token(pki.Supervisor),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.secrets.CA()},
		UserAgent:       pki.Supervisor,
		QPS:             -1,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	return c, nil
}

func (c *cluster) path(name string) string        { return filepath.Join(c.dir, name) }
func (c *cluster) auditLog() string               { return c.path("audit.log") }
func (c *cluster) server() string                 { return "https://" + stack.Loopback(c.ports.API) }
func (c *cluster) partKubeconfig(p string) string { return c.path(p + ".kubeconfig") }

func (c *cluster) as(user string) kubeconfig.Context {
	return kubeconfig.Context{
		Cluster: c.name, Server: c.server(), CA: c.secrets.CA(),
		User: user, Token: c.secrets.Token(user),
	}
}

// prepare describes the cluster's processes, which log to open files.
func (c *cluster) prepare(launcher *proc.Launcher, log *slog.Logger, open func(part string) (io.Writer, error)) error {
	for _, part := range stack.ClusterParts {
		name := c.name + "-" + part
		out, err := open(name)
		if err != nil {
			return err
		}
		c.parts[part] = proc.New(launcher, log, name, part, c.arguments(part), out)
	}
	return nil
}

// start brings the cluster up and waits until it is ready.
func (c *cluster) start(ctx context.Context, progress func(string)) error {
	began := time.Now()
	for _, part := range []string{stack.Etcd, stack.APIServer} {
		c.parts[part].Start()
		if err := c.waitReady(ctx, part); err != nil {
			return fmt.Errorf("cannot start cluster %s: %w", c.name, err)
		}
	}
	progress(fmt.Sprintf("%s: API server ready after %s", c.name, seconds(began)))
	started := time.Now()
	for _, part := range []string{stack.ControllerManager, stack.Scheduler, stack.Kwok} {
		c.parts[part].Start()
	}
	if err := ensureProcessNode(ctx, c.client, c.process.object(c.ports.Node)); err != nil {
		return fmt.Errorf("cannot start cluster %s: %w", c.name, err)
	}
	c.parts[stack.ProcessNode].Start()
	if err := ensureNodes(ctx, c.client, c.nodes, c.ports.Kubelet); err != nil {
		return fmt.Errorf("cannot start cluster %s: %w", c.name, err)
	}
	if err := c.waitNodes(ctx, started); err != nil {
		return fmt.Errorf("cannot start cluster %s: %w", c.name, err)
	}
	progress(fmt.Sprintf("%s: %d nodes ready after %s", c.name, len(c.nodes), seconds(began)))
	return nil
}

// stop ends the cluster's processes, those that talk to the API server first.
func (c *cluster) stop() {
	var wg sync.WaitGroup
	for _, part := range []string{stack.ProcessNode, stack.Kwok, stack.Scheduler, stack.ControllerManager} {
		wg.Go(func() { c.parts[part].Stop(3 * time.Second) })
	}
	wg.Wait()
	c.parts[stack.APIServer].Stop(10 * time.Second)
	c.parts[stack.Etcd].Stop(10 * time.Second)
}

func seconds(since time.Time) string {
	return fmt.Sprintf("%.1f s", time.Since(since).Seconds())
}
