// Package kube is Sluice's access to Kubernetes clusters: requests under a budget, shared watch caches that know when they
// are stale, discovery, and the Lease by which installations keep off each other. A guard watches that a Lease stays one's own,
// and a fenced cluster asks it before every write. It knows nothing of workloads, plans or Temporal, and decides nothing about
// what is changed.
package kube

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
)

// Options say which clusters there are and how much may be asked of each.
type Options struct {
	Kubeconfigs []string                   // files; later ones add contexts. Default: $KUBECONFIG, else ~/.kube/config
	UserAgent   string                     // default "sluice"
	QPS         float32                    // requests a second to one cluster; default 50
	Burst       int                        // default 100
	Clock       clock.WithDelayedExecution // default the real one
	Meter       Meter                      // hears of every request; default nobody does
	// Within says how the cluster of a context is reached from inside it, instead of by files. Of a context that is another's it is an error.
	Within func(context string) (*rest.Config, error)
}

// Pool holds one Cluster for each kubeconfig context that was asked for. It is safe for concurrent use.
type Pool struct {
	options Options

	mu       sync.Mutex
	stamps   []stamp
	broken   error                           // why the files, as they are now, cannot be read
	contexts map[string]*clientcmdapi.Config // what the files say of each context; nil before they were first read
	gone     map[string]time.Time            // of these, what the files do not have any more, since when
	clusters map[string]*Cluster
}

// settles is for how long a context that was there counts when it is missing or not whole: the file may be half written.
const settles = 30 * time.Second

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
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Pool{options: options, gone: map[string]time.Time{}, clusters: map[string]*Cluster{}}
}

// Cluster returns the cluster of a kubeconfig context. It reads the kubeconfig again when a file of it has changed, and
// returns a new Cluster where the context now means another one. It makes no request. A context that is not there is
// fault.Invalid. While a file cannot be read, what it said before counts; a context that it never named is fault.Unreachable
// then, as it may be there in a moment. So is a file that cannot be read and was written just now.
func (p *Pool) Cluster(_ context.Context, contextName string) (*Cluster, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.options.Within != nil {
		return p.within(contextName)
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	if c, ok := p.clusters[contextName]; ok {
		return c, nil
	}
	config, err := p.config(contextName)
	if err != nil {
		return nil, err
	}
	c, err := p.add(contextName, config)
	return c, fault.Wrap(fault.Invalid, err, "cannot use context %q of %s", contextName, strings.Join(p.options.Kubeconfigs, ", "))
}

// Config is how the cluster of a context is reached, for clients that are not the pool's. Its errors are those of Cluster.
func (p *Pool) Config(contextName string) (*rest.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.options.Within != nil {
		return p.options.Within(contextName)
	}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p.config(contextName)
}

// config is what the files that were read say of a context.
func (p *Pool) config(contextName string) (*rest.Config, error) {
	found, ok := p.contexts[contextName]
	if !ok {
		if p.broken != nil {
			return nil, fault.Wrap(fault.Unreachable, p.broken, "cannot find context %q", contextName)
		}
		return nil, p.unknown(contextName)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*found, contextName, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	return config, fault.Wrap(fault.Invalid, err, "cannot use context %q of %s", contextName, strings.Join(p.options.Kubeconfigs, ", "))
}

// within returns the cluster that this runs in, where a context means that one now.
func (p *Pool) within(contextName string) (*Cluster, error) {
	config, err := p.options.Within(contextName)
	if err != nil {
		return nil, err
	}
	if c, ok := p.clusters[contextName]; ok {
		return c, nil
	}
	c, err := p.add(contextName, config)
	return c, fault.Wrap(fault.Invalid, err, "cannot use the cluster that this runs in")
}

func (p *Pool) add(contextName string, config *rest.Config) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.UserAgent, config.QPS, config.Burst = p.options.UserAgent, p.options.QPS, p.options.Burst
	c, err := newCluster(contextName, config, p.options.Clock, p.options.Meter)
	if err == nil {
		p.clusters[contextName] = c
	}
	return c, err
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
	now := p.options.Clock.Now()
	if p.contexts != nil && slices.Equal(stamps, p.stamps) && !p.overdue(now) {
		return nil
	}
	contexts, err := load(stamps)
	p.stamps, p.broken = stamps, err
	switch {
	case err != nil && p.contexts != nil:
		return nil
	case err != nil && slices.ContainsFunc(stamps, func(s stamp) bool { return now.Sub(s.changed) < settles }):
		return fault.Wrap(fault.Unreachable, err, "cannot read what was written just now")
	case err != nil:
		return err
	}
	p.keep(contexts, now)
	for name, c := range p.clusters {
		if !reflect.DeepEqual(p.contexts[name], contexts[name]) {
			c.retire()
			delete(p.clusters, name)
		}
	}
	p.contexts = contexts
	return nil
}

// overdue reports whether a context that is not there any more has been believed for long enough.
func (p *Pool) overdue(now time.Time) bool {
	for _, since := range p.gone {
		if now.Sub(since) >= settles {
			return true
		}
	}
	return false
}

// keep adds to the contexts those that were whole until lately.
func (p *Pool) keep(contexts map[string]*clientcmdapi.Config, now time.Time) {
	for name, before := range p.contexts {
		if whole(contexts[name], name) || !whole(before, name) {
			delete(p.gone, name)
			continue
		}
		since, ok := p.gone[name]
		switch {
		case !ok:
			p.gone[name] = now
		case now.Sub(since) >= settles:
			delete(p.gone, name)
			continue
		}
		contexts[name] = before
	}
}

func whole(config *clientcmdapi.Config, name string) bool {
	return config != nil && clientcmd.ConfirmUsable(*config, name) == nil
}

// load reads the files. Each context gets a config of its own, of nothing else.
func load(stamps []stamp) (map[string]*clientcmdapi.Config, error) {
	merged := clientcmdapi.NewConfig()
	for _, s := range stamps {
		if s.missing {
			continue
		}
		config, err := clientcmd.LoadFromFile(s.path)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read kubeconfig %s", s.path)
		}
		if err := clientcmd.ResolveLocalPaths(config); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read kubeconfig %s", s.path)
		}
		add(merged.Contexts, config.Contexts)
		add(merged.Clusters, config.Clusters)
		add(merged.AuthInfos, config.AuthInfos)
	}
	contexts := make(map[string]*clientcmdapi.Config, len(merged.Contexts))
	for name, context := range merged.Contexts {
		own := clientcmdapi.NewConfig()
		own.Contexts[name] = context
		if cluster, ok := merged.Clusters[context.Cluster]; ok {
			own.Clusters[context.Cluster] = cluster
		}
		if user, ok := merged.AuthInfos[context.AuthInfo]; ok {
			own.AuthInfos[context.AuthInfo] = user
		}
		contexts[name] = own
	}
	return contexts, nil
}

func (p *Pool) unknown(contextName string) error {
	files := make([]string, len(p.stamps))
	for i, s := range p.stamps {
		files[i] = s.path
		if s.missing {
			files[i] += " (is not there)"
		}
	}
	names := slices.Sorted(maps.Keys(p.contexts))
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
