package check

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// certificate looks at the certificate that an endpoint shows, or that the cluster keeps.
func (p *Probes) certificate(ctx context.Context, q Question) Finding {
	c := q.Step.Certificate
	switch {
	case c.Secret != nil:
		return p.secret(ctx, q, c)
	case c.Webhook != nil:
		return p.webhooks(ctx, q, c)
	}
	host, port, _ := net.SplitHostPort(c.Address)
	return p.ask(ctx, q, c.ProbeAim, endpoint{Host: host, Port: port}, func(ctx context.Context, at endpoint) probe.Result {
		identity := trust(c.TLS)
		if identity.ServerName == "" {
			identity.ServerName = host
		}
		return p.prober.Certificate(ctx, probe.Certificate{
			Address: at.address(), TLS: identity, Valid: validOf(c), Within: within(c.ProbeAim), Reserved: c.AllowReserved != "",
		})
	})
}

const day = 24 * time.Hour

// validOf is what a step wants of a certificate.
func validOf(c *pipelines.Certificate) probe.Valid {
	v := probe.Valid{For: time.Duration(c.MinDays) * day, Names: c.Names, Usage: x509.ExtKeyUsageServerAuth}
	switch c.Usage {
	case "Client":
		v.Usage = x509.ExtKeyUsageClientAuth
	case "Any":
		v.Usage = x509.ExtKeyUsageAny
	}
	return v
}

// secret looks at the certificate in a Secret. What it keeps beside that is not looked at.
func (p *Probes) secret(ctx context.Context, q Question, c *pipelines.Certificate) Finding {
	ref, key := c.Secret, c.Secret.Key
	if key == "" {
		key = "tls.crt"
	}
	where := fmt.Sprintf("%s of Secret %s/%s", key, ref.Namespace, ref.Name)
	object, problem := object(ctx, q, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, ref.Namespace, ref.Name)
	if problem != nil {
		return *problem
	}
	text, err := decoded(object, "data", key)
	if err != nil {
		return Finding{Verdict: api.Failed, Message: fmt.Sprintf("%s: %v", where, err)}
	}
	identity := trust(c.TLS)
	if len(identity.CA) == 0 && !identity.Insecure {
		identity.CA, _ = decoded(object, "data", "ca.crt")
	}
	return found([]probe.Result{p.prober.Certified(where, text, identity, validOf(c))}, 1)
}

// webhooks looks at the authorities of each webhook of a configuration, and at what is shown at the URLs of those that have one. What
// is behind a Service is out of a worker's reach.
func (p *Probes) webhooks(ctx context.Context, q Question, c *pipelines.Certificate) Finding {
	kind := schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: string(c.Webhook.Kind)}
	object, problem := object(ctx, q, kind, "", c.Webhook.Name)
	if problem != nil {
		return *problem
	}
	hooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil || len(hooks) == 0 {
		return Finding{Verdict: api.Inconclusive, Message: c.Webhook.Name + " has no webhooks"}
	}
	results := probe.Each(ctx, hooks, func(ctx context.Context, h any) probe.Result {
		hook, _ := h.(map[string]any)
		return p.hook(ctx, hook, time.Duration(c.MinDays)*day)
	})
	return found(results, len(hooks))
}

// hook looks at one webhook. One with a URL and no authorities is trusted by those of the API server's machine; those of this one
// stand for them.
func (p *Probes) hook(ctx context.Context, hook map[string]any, left time.Duration) probe.Result {
	name, _, _ := unstructured.NestedString(hook, "name")
	at, _, _ := unstructured.NestedString(hook, "clientConfig", "url")
	text, given, _ := unstructured.NestedString(hook, "clientConfig", "caBundle")
	var authorities []byte
	if at == "" || given && text != "" {
		var err error
		if authorities, err = decoded(&unstructured.Unstructured{Object: hook}, "clientConfig", "caBundle"); err != nil {
			return probe.Result{Target: name, Verdict: api.Failed, Layer: probe.TLSLayer, Message: err.Error()}
		}
		if r := p.prober.Authorities(name, authorities, left); at == "" || r.Verdict != api.Passed {
			return r
		}
	}
	r := p.prober.Certificate(ctx, probe.Certificate{
		Address: hostPort(at), TLS: probe.TLS{CA: authorities}, Valid: probe.Valid{For: left, Usage: x509.ExtKeyUsageServerAuth},
	})
	r.Target = name
	// Its way is from the API server's network, and may be none from here: that nobody is there says nothing about a certificate.
	if r.Verdict == api.Failed && (r.Layer == probe.Resolve || r.Layer == probe.Connect) {
		r.Verdict, r.Message = api.Inconclusive, "its certificate was not seen: "+r.Message
	}
	return r
}

// hostPort is where a URL leads; "" for none.
func hostPort(text string) string {
	to, err := url.Parse(text)
	if err != nil || to.Hostname() == "" {
		return ""
	}
	return net.JoinHostPort(to.Hostname(), cmp.Or(to.Port(), "443"))
}

// object reads an object of the cluster that a question is about. The finding says why there is none.
func object(ctx context.Context, q Question, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, *Finding) {
	if q.Place == nil {
		return nil, &Finding{Verdict: api.Error, Message: "it is about no cluster, where there is a " + kind.Kind}
	}
	o, err := q.Place.API.Get(ctx, kind, namespace, name)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return nil, &Finding{Verdict: api.Failed, Message: fmt.Sprintf("there is no %s %s", kind.Kind, name)}
	case err != nil:
		return nil, &Finding{Verdict: api.Error, Message: err.Error()}
	}
	return o, nil
}

// decoded is a text that Kubernetes keeps in base64.
func decoded(object *unstructured.Unstructured, path ...string) ([]byte, error) {
	encoded, there, err := unstructured.NestedString(object.Object, path...)
	if err != nil || !there || encoded == "" {
		return nil, fmt.Errorf("there is no %s", path[len(path)-1])
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%s is no base64", path[len(path)-1])
	}
	return text, nil
}
