package kube

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// A connection over which nothing came for pingAfter is asked whether it lives, and given up pingWithin later. client-go's
// own values (30 s and 15 s, and only through the environment) would leave a wait on a dead connection for too long.
const (
	pingAfter   = 3 * time.Second
	pingWithin  = 3 * time.Second
	dialTimeout = 5 * time.Second
)

// counter counts the requests that leave for a cluster.
type counter struct {
	next     http.RoundTripper
	requests atomic.Int64
}

// RoundTrip counts and passes on.
func (t *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	t.requests.Add(1)
	return t.next.RoundTrip(request)
}

// newTransport does what client-go does for a rest.Config - TLS, certificates from exec plugins, tokens, proxies - on a
// connection pool of this cluster's own whose dead connections are found soon.
func newTransport(config *rest.Config) (http.RoundTripper, *counter, *http.Transport, error) {
	settings, err := config.TransportConfig()
	if err != nil {
		return nil, nil, nil, err
	}
	tlsConfig, err := transport.TLSConfigFor(settings)
	if err != nil {
		return nil, nil, nil, err
	}
	dial := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	if settings.DialHolder != nil {
		dial = settings.DialHolder.Dial
	}
	proxy := http.ProxyFromEnvironment
	if settings.Proxy != nil {
		proxy = settings.Proxy
	}
	base := &http.Transport{
		Proxy:               proxy,
		DialContext:         dial,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 25,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  settings.DisableCompression,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin},
	}
	counted := &counter{next: base}
	wrapped, err := transport.HTTPWrappersForConfig(settings, counted)
	if err != nil {
		return nil, nil, nil, err
	}
	return wrapped, counted, base, nil
}
