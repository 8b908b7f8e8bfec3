// Package certificates is the case of certificates that will expire: of the API server, of the authorities that webhooks are known by, and
// of kubelets.
package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "certificates"

// Timeout is how long a run may take where nobody says.
const Timeout = time.Minute

// Bounds of a run: each certificate is a part of its report.
const (
	maxWebhooks = 60
	maxNodes    = 30
	atOnce      = 10
	dialWithin  = 3 * time.Second
)

const day = 24 * time.Hour

// inspector is one run.
type inspector struct {
	*site.Site
	trial   *trial.Trial
	now     time.Time
	least   int // days
	nodes   int
	address corev1.NodeAddressType

	mu      sync.Mutex
	targets []string
	errs    map[string]error
	lowest  float64
}

// Run looks at each certificate by itself. One that expires within MIN_DAYS is a fault; one that cannot be had says nothing of the others.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	i := &inspector{
		trial: t, now: time.Now(), least: r.Int("MIN_DAYS", 14, 0, 3650), nodes: r.Int("SAMPLE", 20, 0, maxNodes),
		address: corev1.NodeAddressType(r.Choice("ADDRESS", string(corev1.NodeInternalIP), string(corev1.NodeExternalIP))),
		errs:    map[string]error{}, lowest: math.Inf(1),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if i.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	for _, look := range []func(context.Context) error{i.server, i.webhooks, i.kubelets} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	t.Number("days.least", i.lowest) // which is none where no certificate was seen
	return trial.Worst(i.targets, i.errs)
}

// seen notes what became of a certificate that was looked for.
func (i *inspector) seen(target string, until time.Time, err error) {
	if err == nil {
		err = judge(until, i.now, i.least)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !until.IsZero() {
		days := daysLeft(until, i.now)
		i.trial.Number("days."+target, days)
		i.lowest = min(i.lowest, days)
	}
	i.targets = append(i.targets, target)
	i.errs[target] = err
	i.trial.Part(target, "certificate", 0, err)
}

func daysLeft(until, now time.Time) float64 { return math.Floor(until.Sub(now).Hours() / 24) }

// judge says whether a certificate is valid long enough.
func judge(until, now time.Time, least int) error {
	switch on := until.UTC().Format(time.DateOnly); {
	case !until.After(now):
		return trial.Fault("CertificateExpired", "it expired on %s", on)
	case until.Sub(now) < time.Duration(least)*day:
		return trial.Fault("CertificateExpires", "it expires in %.0f days, on %s", daysLeft(until, now), on)
	}
	return nil
}

func (i *inspector) server(ctx context.Context) error {
	u, err := url.Parse(i.Config.Host)
	if err != nil {
		return trial.Blind("BadParameter", "cannot read address of API server: %w", err)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	until, err := served(ctx, address, u.Hostname())
	i.seen("api-server", until, err)
	return nil
}

// served is until when the certificate is valid that a server shows, and those that it shows with it. It is not verified: one that has
// expired is to be seen too.
func served(ctx context.Context, address, name string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var chain []*x509.Certificate
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, ServerName: name, MinVersion: tls.VersionTLS12,
		// Before the server turns away who shows no certificate of his own.
		VerifyConnection: func(s tls.ConnectionState) error {
			chain = s.PeerCertificates
			return errSeen
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	if len(chain) == 0 {
		return time.Time{}, trial.Blind("Unreachable", "cannot see the certificate of %s: %w", address, err)
	}
	until := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until, nil
}

var errSeen = errors.New("it was seen")

func (i *inspector) webhooks(ctx context.Context) error {
	of := metav1.ListOptions{Limit: maxWebhooks}
	validating, err := i.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, of)
	if err != nil {
		return site.Blame(err, "list webhooks")
	}
	mutating, err := i.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, of)
	if err != nil {
		return site.Blame(err, "list webhooks")
	}
	bundles := map[string][]byte{}
	var order []string
	add := func(name string, bundle []byte) {
		// Without a bundle it is known by the authorities of the API server's own machine.
		if len(bundle) > 0 && len(order) < maxWebhooks {
			bundles[name] = bundle
			order = append(order, name)
		}
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			add("validating/"+c.Name+"/"+w.Name, w.ClientConfig.CABundle)
		}
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			add("mutating/"+c.Name+"/"+w.Name, w.ClientConfig.CABundle)
		}
	}
	for _, name := range order {
		until, err := bundled(bundles[name])
		i.seen(name, until, err)
	}
	i.trial.Number("webhooks", float64(len(order)))
	return nil
}

// bundled is until when something can be verified by a bundle: while authorities are exchanged it has an old one and a new one.
func bundled(bundle []byte) (time.Time, error) {
	var until time.Time
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, trial.Fault("BadCertificate", "its bundle cannot be read: %w", err)
		}
		if c.NotAfter.After(until) {
			until = c.NotAfter
		}
	}
	if until.IsZero() {
		return until, trial.Fault("BadCertificate", "there is no certificate in its bundle")
	}
	return until, nil
}

func (i *inspector) kubelets(ctx context.Context) error {
	if i.nodes == 0 {
		return nil
	}
	nodes, err := i.SampleNodes(ctx, nil, i.nodes)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, node := range nodes {
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			until, err := i.kubelet(ctx, node)
			i.seen("node/"+node.Name, until, err)
		})
	}
	wg.Wait()
	return nil
}

func (i *inspector) kubelet(ctx context.Context, node *corev1.Node) (time.Time, error) {
	port := node.Status.DaemonEndpoints.KubeletEndpoint.Port
	for _, a := range node.Status.Addresses {
		if a.Type == i.address && port != 0 {
			return served(ctx, net.JoinHostPort(a.Address, strconv.Itoa(int(port))), node.Name)
		}
	}
	return time.Time{}, trial.Nothing("NoAddress", "the node says no %s or no port of its kubelet", i.address)
}
