// Package kube is Sluice's access to Kubernetes clusters: requests under a budget, shared watch caches that know when they
// are stale, discovery, and the Lease by which installations keep off each other. It knows nothing of workloads, plans or
// Temporal, and decides nothing about what is changed.
package kube

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"sluice.dev/sluice/internal/fault"
)

// Options say which clusters there are and how much may be asked of each.
type Options struct {
	Kubeconfigs []string // files; later ones add contexts. Default: $KUBECONFIG, else ~/.kube/config
	UserAgent   string   // default "sluice"
	QPS         float32  // requests a second to one cluster; default 50
	Burst       int      // default 100
}

// Pool holds one Cluster for each kubeconfig context that was asked for. It is safe for concurrent use.
type Pool struct {
	options Options

	mu       sync.Mutex
	stamps   []stamp
	config   *clientcmdapi.Config
	clusters map[string]*Cluster
}

// stamp tells whether a kubeconfig file has changed since it was read.
type stamp struct {
	path    string
	size    int64
	changed time.Time
	missing bool
}

// NewPool returns a pool. It reads no file and makes no request until a cluster is asked for.
func NewPool(options Options) *Pool {
	if len(options.Kubeconfigs) == 0 {
		options.Kubeconfigs = clientcmd.NewDefaultClientConfigLoadingRules().GetLoadingPrecedence()
	}
	if options.UserAgent == "" {
		options.UserAgent = "sluice"
	}
	if options.QPS == 0 {
		options.QPS = 50
	}
	if options.Burst == 0 {
		options.Burst = 100
	}
	return &Pool{options: options, clusters: map[string]*Cluster{}}
}

// Cluster returns the cluster of a kubeconfig context. It reads the kubeconfig again when a file of it has changed, and
// returns a new Cluster where the context now means another one. It makes no request. A context that is not there is
// fault.Invalid.
func (p *Pool) Cluster(_ context.Context, contextName string) (*Cluster, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(); err != nil {
		return nil, err
	}
	if c, ok := p.clusters[contextName]; ok {
		return c, nil
	}
	if _, ok := p.config.Contexts[contextName]; !ok {
		return nil, p.unknown(contextName)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*p.config, contextName, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot use context %q of %s", contextName, strings.Join(p.options.Kubeconfigs, ", "))
	}
	config.UserAgent, config.QPS, config.Burst = p.options.UserAgent, p.options.QPS, p.options.Burst
	c, err := newCluster(contextName, config)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot use context %q of %s", contextName, strings.Join(p.options.Kubeconfigs, ", "))
	}
	p.clusters[contextName] = c
	return c, nil
}

// Contexts returns the names of all contexts there are, sorted.
func (p *Pool) Contexts() ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(); err != nil {
		return nil, err
	}
	return contextNames(p.config), nil
}

// Close ends all watches and connections.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, c := range p.clusters {
		c.close()
		delete(p.clusters, name)
	}
}

func (p *Pool) read() error {
	stamps := make([]stamp, len(p.options.Kubeconfigs))
	for i, path := range p.options.Kubeconfigs {
		stamps[i] = stampOf(path)
	}
	if p.config != nil && slices.Equal(stamps, p.stamps) {
		return nil
	}
	merged := clientcmdapi.NewConfig()
	for _, s := range stamps {
		if s.missing {
			continue
		}
		config, err := clientcmd.LoadFromFile(s.path)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read kubeconfig %s", s.path)
		}
		if err := clientcmd.ResolveLocalPaths(config); err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read kubeconfig %s", s.path)
		}
		add(merged.Contexts, config.Contexts)
		add(merged.Clusters, config.Clusters)
		add(merged.AuthInfos, config.AuthInfos)
	}
	for name, c := range p.clusters {
		if !sameContext(p.config, merged, name) {
			c.retire()
			delete(p.clusters, name)
		}
	}
	p.config, p.stamps = merged, stamps
	return nil
}

func (p *Pool) unknown(contextName string) error {
	files := make([]string, len(p.stamps))
	for i, s := range p.stamps {
		files[i] = s.path
		if s.missing {
			files[i] += " (is not there)"
		}
	}
	names := contextNames(p.config)
	if len(names) == 0 {
		names = []string{"none"}
	}
	return fault.New(fault.Invalid, "cannot find context %q in the kubeconfig %s; contexts there: %s",
		contextName, strings.Join(files, ", "), strings.Join(names, ", "))
}

func stampOf(path string) stamp {
	s := stamp{path: path}
	if absolute, err := filepath.Abs(path); err == nil {
		s.path = absolute
	}
	info, err := os.Stat(s.path)
	if err != nil {
		s.missing = errors.Is(err, fs.ErrNotExist)
		return s
	}
	s.size, s.changed = info.Size(), info.ModTime()
	return s
}

func add[V any](to, from map[string]V) {
	for name, value := range from {
		if _, ok := to[name]; !ok {
			to[name] = value
		}
	}
}

func sameContext(before, after *clientcmdapi.Config, name string) bool {
	a, b := before.Contexts[name], after.Contexts[name]
	if a == nil || b == nil {
		return false
	}
	return reflect.DeepEqual(a, b) &&
		reflect.DeepEqual(before.Clusters[a.Cluster], after.Clusters[b.Cluster]) &&
		reflect.DeepEqual(before.AuthInfos[a.AuthInfo], after.AuthInfos[b.AuthInfo])
}

func contextNames(config *clientcmdapi.Config) []string {
	names := make([]string, 0, len(config.Contexts))
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
