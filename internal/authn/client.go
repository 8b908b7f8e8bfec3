package authn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Bounds on what an issuer is asked, and answers.
const (
	askTimeout = 10 * time.Second
	maxAnswer  = 1 << 20
	maxHops    = 3
)

// Client is an HTTP client for an issuer: it asks no address on which others could listen, and reads no endless answer. With caFile the
// issuer's certificate is verified by those in that file alone.
func Client(caFile string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read certificates of issuer")
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "cannot read certificates of issuer: there are none in %s", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Timeout:   askTimeout,
		Transport: bounded{transport},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxHops {
				return errors.New("it leads on and on")
			}
			return nil
		},
	}, nil
}

type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. It is also asked for every redirect.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !(r.URL.Scheme == "http" && loopback(r.URL.Hostname())) {
		return nil, errors.New("its address is not https")
	}
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
