package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/fault"
)

// signer signs certificates.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newSigner(t *testing.T, name string, from time.Time) *signer {
	t.Helper()
	s := &signer{file: filepath.Join(t.TempDir(), name+".pem")}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: from, NotAfter: from.Add(24 * time.Hour),
	}
	s.certificate, s.key = certificate(t, template, nil)
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw})
	if err := os.WriteFile(s.file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// certificate makes one, signed by a CA or by itself.
func certificate(t *testing.T, template *x509.Certificate, by *signer) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<60)); err != nil {
		t.Fatal(err)
	}
	parent, signing := template, key
	if by != nil {
		parent, signing = by.certificate, by.key
	}
	data, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signing)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(data)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func uri(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMachines(t *testing.T) {
	ca, other, foreign := newSigner(t, "ca", noon), newSigner(t, "other", noon), newSigner(t, "foreign", noon)
	c := &clock{}
	c.advance(time.Hour)
	m, err := authn.NewMachines([]authn.ClientCA{{Name: "machines", File: ca.file}, {Name: "other", File: other.file}}, c.now)
	if err != nil {
		t.Fatal(err)
	}
	chain := func(by *signer, change func(*x509.Certificate)) []*x509.Certificate {
		template := &x509.Certificate{Subject: pkix.Name{CommonName: "agent-1"}, NotBefore: noon, NotAfter: noon.Add(2 * time.Hour)}
		if change != nil {
			change(template)
		}
		leaf, _ := certificate(t, template, by)
		return []*x509.Certificate{leaf, by.certificate}
	}
	named := func(name string, uris ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Subject.CommonName = name
			for _, u := range uris {
				c.URIs = append(c.URIs, uri(t, u))
			}
		}
	}
	type chains = [][]*x509.Certificate
	for name, tc := range map[string]struct {
		chains chains
		name   string // "" is refused
		reason string
	}{
		"a common name":                {chains{chain(ca, nil)}, "machines:agent-1", ""},
		"that of another CA":           {chains{chain(other, nil)}, "other:agent-1", ""},
		"a SPIFFE id":                  {chains{chain(ca, named("x", "spiffe://prod/agent/1"))}, "machines:spiffe://prod/agent/1", ""},
		"a name that is marked":        {chains{chain(ca, named("ann (unverified)"))}, "machines:ann%20%28unverified%29", ""},
		"two chains of one CA":         {chains{chain(ca, nil), chain(ca, nil)}, "machines:agent-1", ""},
		"a chain behind an empty one":  {chains{{}, chain(ca, nil)}, "machines:agent-1", ""},
		"none":                         {nil, "", "no verified certificate"},
		"an empty chain":               {chains{{}}, "", "no verified certificate"},
		"a CA that nobody named":       {chains{chain(foreign, nil)}, "", "has not"},
		"one of two CAs":               {chains{chain(ca, nil), chain(other, nil)}, "", "two CAs"},
		"a CA's own":                   {chains{{ca.certificate}}, "", "a CA's own"},
		"expired":                      {chains{chain(ca, func(c *x509.Certificate) { c.NotAfter = noon.Add(time.Minute) })}, "", "does not count now"},
		"not yet valid":                {chains{chain(ca, func(c *x509.Certificate) { c.NotBefore = noon.Add(90 * time.Minute) })}, "", "does not count now"},
		"no name":                      {chains{chain(ca, named(""))}, "", "no name"},
		"a name that would be an id":   {chains{chain(ca, named("spiffe://prod/agent/1"))}, "", "looks like a URI"},
		"two ids":                      {chains{chain(ca, named("x", "spiffe://prod/a", "spiffe://prod/b"))}, "", "more than one URI"},
		"a URI that is no id":          {chains{chain(ca, named("x", "https://prod/a"))}, "", "no SPIFFE id"},
		"an id without a path":         {chains{chain(ca, named("x", "spiffe://prod"))}, "", "no SPIFFE id"},
		"an id with a query":           {chains{chain(ca, named("x", "spiffe://prod/a?b"))}, "", "no SPIFFE id"},
		"a name that no column can be": {chains{chain(ca, named("x", "spiffe://prod/"+strings.Repeat("a", 300)))}, "", "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := m.Subject(tc.chains)
			if tc.name == "" {
				refused(t, err, "", tc.reason)
				return
			}
			if err != nil || s.Name != tc.name || s.Kind != access.Machine || !s.Verified {
				t.Errorf("it is %+v, %v", s, err)
			}
		})
	}
	c.advance(48 * time.Hour)
	_, err = m.Subject(chains{chain(ca, func(c *x509.Certificate) { c.NotAfter = noon.Add(1000 * time.Hour) })})
	refused(t, err, "", "does not count now")
}

// TestMachinesOverTLS has a real server verify the certificates.
func TestMachinesOverTLS(t *testing.T) {
	now := time.Now()
	ca, foreign := newSigner(t, "ca", now.Add(-time.Hour)), newSigner(t, "foreign", now.Add(-time.Hour))
	m, err := authn.NewMachines([]authn.ClientCA{{Name: "machines", File: ca.file}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Subject(r.TLS.VerifiedChains)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(s.Name))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: m.Pool(), MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, tc := range map[string]struct {
		by    *signer
		until time.Time
		want  int // 0 where the connection is refused
	}{
		"good":    {ca, now.Add(time.Hour), http.StatusOK},
		"none":    {nil, now, http.StatusUnauthorized},
		"foreign": {foreign, now.Add(time.Hour), 0},
		"expired": {ca, now.Add(-time.Minute), 0},
	} {
		client := server.Client()
		transport := client.Transport.(*http.Transport).Clone()
		if tc.by != nil {
			leaf, key := certificate(t, &x509.Certificate{
				Subject: pkix.Name{CommonName: "agent-1"}, NotBefore: now.Add(-time.Hour), NotAfter: tc.until,
				ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			}, tc.by)
			own := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
			transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
		}
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		got := 0
		if err == nil {
			got = response.StatusCode
			_ = response.Body.Close()
		}
		if got != tc.want {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestClientCAsAreRead(t *testing.T) {
	ca := newSigner(t, "ca", noon)
	leaf, key := certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, NotAfter: noon}, ca)
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, data []byte) string {
		file := filepath.Join(t.TempDir(), "file.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for reason, cas := range map[string][]authn.ClientCA{
		"no file":                           {{Name: "a", File: ca.file + ".not"}},
		"no certificate in it":              {{Name: "a", File: "machine_test.go"}},
		"one that may sign no other":        {{Name: "a", File: write("CERTIFICATE", leaf.Raw)}},
		"what is no certificate":            {{Name: "a", File: write("CERTIFICATE", []byte("x"))}},
		"a key, which has no business here": {{Name: "a", File: write("EC PRIVATE KEY", secret)}},
		"one CA under two names":            {{Name: "a", File: ca.file}, {Name: "b", File: ca.file}},
	} {
		if _, err := authn.NewMachines(cas, time.Now); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
