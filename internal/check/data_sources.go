package check

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"sync"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
)

// maxClients is how many servers are kept connections to. With more, those of all begin anew.
const maxClients = 256

// DataSources asks the servers behind data sources, with the secrets of this worker. It is safe for concurrent use.
type DataSources struct {
	secrets secret.Store

	mu      sync.Mutex
	clients map[string]*prometheus.Client // by endpoint
}

// NewDataSources returns an Asker of real servers.
func NewDataSources(secrets secret.Store) *DataSources {
	return &DataSources{secrets: secrets, clients: map[string]*prometheus.Client{}}
}

// Ask asks the server of a data source.
func (d *DataSources) Ask(ctx context.Context, source pipelines.BoundDataSource, promql string) (prometheus.Answer, error) {
	client, err := d.client(source.Endpoint)
	if err != nil {
		return prometheus.Answer{}, err
	}
	return client.Query(ctx, promql, time.Time{})
}

func (d *DataSources) client(e pipelines.Endpoint) (*prometheus.Client, error) {
	if e.Type != pipelines.Prometheus {
		return nil, fault.New(fault.Invalid, "cannot ask a data source of type %q: this worker knows %s", e.Type, pipelines.Prometheus)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot name the server")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.clients[string(text)]; ok {
		return known, nil
	}
	options := prometheus.Options{
		Tenant: e.Tenant, Login: func() (prometheus.Login, error) { return d.login(e) }, Allowed: probe.Allowed,
	}
	if e.CAFile != "" {
		if options.Roots, err = d.roots(e.CAFile); err != nil {
			return nil, err
		}
	}
	made, err := prometheus.New(e.Address, options)
	if err != nil {
		return nil, err
	}
	if len(d.clients) >= maxClients {
		for key, c := range d.clients {
			c.Close()
			delete(d.clients, key)
		}
	}
	d.clients[string(text)] = made
	return made, nil
}

// login reads the secrets of an endpoint.
func (d *DataSources) login(e pipelines.Endpoint) (l prometheus.Login, err error) {
	if e.BearerToken != nil {
		l.Token, err = d.secrets.Read(*e.BearerToken)
	}
	if e.BasicAuth != nil {
		l.User = e.BasicAuth.User
		l.Password, err = d.secrets.Read(e.BasicAuth.Password)
	}
	return l, err
}

func (d *DataSources) roots(file string) (*x509.CertPool, error) {
	pem, err := d.secrets.Read(pipelines.WorkerSecret{File: file})
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fault.New(fault.Invalid, "cannot read caFile %s: it has no certificate", file)
	}
	return pool, nil
}
