package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

const day = 24 * time.Hour

// signer is an authority of a test.
type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

// certificate is what an authority signs.
type certificate struct {
	names   []string
	from    time.Time     // an hour ago by default
	lasts   time.Duration // 90 days by default
	usage   x509.ExtKeyUsage
	demands bool // whoever serves it demands one of whoever asks
}

func authority(t *testing.T) *signer {
	t.Helper()
	return signed(t, nil, 10*365*day)
}

// signed is an authority that another one has signed, or itself.
func signed(t *testing.T, by *signer, lasts time.Duration) *signer {
	t.Helper()
	s := &signer{key: key(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts), KeyUsage: x509.KeyUsageCertSign,
	}
	if by == nil {
		by = &signer{key: s.key, cert: template}
	}
	s.cert, s.pem = by.sign(t, template, s.key)
	return s
}

func key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (s *signer) sign(t *testing.T, template *x509.Certificate, of *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, of.Public(), s.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// makes signs a certificate. Between are the PEM texts of what it rests on, to stand after it.
func (s *signer) makes(t *testing.T, c certificate, between ...[]byte) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	if c.from.IsZero() {
		c.from = time.Now().Add(-time.Hour)
	}
	if c.lasts == 0 {
		c.lasts = 90 * day
	}
	if c.usage == 0 {
		c.usage = x509.ExtKeyUsageServerAuth
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: c.from, NotAfter: c.from.Add(c.lasts),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{c.usage},
	}
	for _, name := range c.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	of := key(t)
	_, text := s.sign(t, template, of)
	for _, b := range between {
		text = append(text, b...)
	}
	return text, of
}

// serves is the address of a TLS server that has a certificate, and does nothing else.
func (s *signer) serves(t *testing.T, c certificate, between ...[]byte) string {
	t.Helper()
	config := s.config(t, c, between...)
	return speaking(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() })
}

func (s *signer) config(t *testing.T, c certificate, between ...[]byte) *tls.Config {
	t.Helper()
	text, of := s.makes(t, c, between...)
	chain := tls.Certificate{PrivateKey: of}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		chain.Certificate = append(chain.Certificate, block.Bytes)
	}
	config := &tls.Config{Certificates: []tls.Certificate{chain}, NextProtos: []string{"h2", "http/1.1"}}
	if c.demands {
		config.ClientAuth, config.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
	}
	return config
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	ca, other := authority(t), authority(t)
	between := signed(t, ca, 20*day)
	serverAuth := probe.Valid{Usage: x509.ExtKeyUsageServerAuth}
	valid := func(left time.Duration, names ...string) probe.Valid {
		return probe.Valid{For: left, Names: names, Usage: x509.ExtKeyUsageServerAuth}
	}
	up := certificate{names: []string{"up.test", "*.pods.test", "127.0.0.1"}}
	passed := want{verdict: api.Passed}
	for _, c := range []struct {
		reason string
		at     string
		tls    probe.TLS
		valid  probe.Valid
		want   want
		days   int64
	}{
		{"valid, and for its address", ca.serves(t, up), probe.TLS{CA: ca.pem}, serverAuth, passed, 89},
		{"valid for long enough, and for more names", ca.serves(t, up), probe.TLS{CA: ca.pem, ServerName: "up.test"},
			valid(30*day, "a.pods.test"), passed, 89},
		{"shown even to those who have none", ca.serves(t, certificate{names: up.names, demands: true}), probe.TLS{CA: ca.pem}, serverAuth,
			passed, 89},
		{"by an authority in between that ends sooner", between.serves(t, up, between.pem), probe.TLS{CA: ca.pem}, valid(10 * day), passed, 19},
		{"not verified, as was said", other.serves(t, up), probe.TLS{Insecure: true}, serverAuth, passed, 89},

		{"what it rests on ends too soon", between.serves(t, up, between.pem), probe.TLS{CA: ca.pem}, valid(30 * day),
			want{api.Failed, probe.TLSLayer, "in less than 30 days", false}, 19},
		{"the authority in between is not shown", between.serves(t, up), probe.TLS{CA: ca.pem}, serverAuth,
			want{api.Failed, probe.TLSLayer, "unknown authority", false}, 89},
		{"it ends too soon", ca.serves(t, up), probe.TLS{CA: ca.pem}, valid(100 * day),
			want{api.Failed, probe.TLSLayer, "in less than 100 days", false}, 89},
		{"not verified, but it ends too soon all the same", other.serves(t, up), probe.TLS{Insecure: true}, valid(100 * day),
			want{api.Failed, probe.TLSLayer, "in less than 100 days", false}, 89},
		{"it has expired", ca.serves(t, certificate{names: up.names, from: time.Now().Add(-100 * day)}), probe.TLS{CA: ca.pem}, serverAuth,
			want{api.Failed, probe.TLSLayer, "expired", false}, -11},
		{"it is not valid yet", ca.serves(t, certificate{names: up.names, from: time.Now().Add(10 * day)}), probe.TLS{Insecure: true},
			serverAuth, want{api.Failed, probe.TLSLayer, "is valid from", false}, 99},
		{"of another authority", other.serves(t, up), probe.TLS{CA: ca.pem}, serverAuth,
			want{api.Failed, probe.TLSLayer, "unknown authority", false}, 89},
		{"for another name", ca.serves(t, up), probe.TLS{CA: ca.pem, ServerName: "down.test"}, serverAuth,
			want{api.Failed, probe.TLSLayer, "not down.test", false}, 89},
		{"not for one of several names", ca.serves(t, up), probe.TLS{CA: ca.pem}, valid(0, "up.test", "down.test"),
			want{api.Failed, probe.TLSLayer, "not down.test", false}, 89},
		{"for clients only", ca.serves(t, certificate{names: up.names, usage: x509.ExtKeyUsageClientAuth}), probe.TLS{CA: ca.pem}, serverAuth,
			want{api.Failed, probe.TLSLayer, "incompatible key usage", false}, 89},
		{"no TLS", greeting(t, "hello"), probe.TLS{}, serverAuth, want{api.Failed, probe.TLSLayer, "TLS handshake", false}, 0},
		{"nobody listens", closed(t), probe.TLS{}, serverAuth, want{api.Failed, probe.Connect, "connection refused", false}, 0},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			got := prober(t).Certificate(t.Context(), probe.Certificate{Address: c.at, TLS: c.tls, Valid: c.valid, Within: c.want.within()})
			c.want.test(t, got)
			if days, _ := got.Seen["daysLeft"].(int64); days != c.days {
				t.Errorf("%d days left, want %d", days, c.days)
			}
		})
	}
}

func TestCertificatesThatAreKept(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	soon := signed(t, ca, 20*day)
	text, _ := ca.makes(t, certificate{names: []string{"hook.test"}})
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret")})
	wanted := probe.Valid{For: 30 * day, Names: []string{"hook.test"}, Usage: x509.ExtKeyUsageServerAuth}
	p := probe.New(testingclock.NewFakePassiveClock(time.Now()), nil)
	later := probe.New(testingclock.NewFakePassiveClock(time.Now().Add(80*day)), nil)
	for _, c := range []struct {
		reason string
		got    probe.Result
		want   want
	}{
		{"a certificate and its authority", p.Certified("secret", text, probe.TLS{CA: ca.pem}, wanted), want{verdict: api.Passed}},
		{"other things stand in the text", p.Certified("secret", append(key, text...), probe.TLS{CA: ca.pem}, wanted), want{verdict: api.Passed}},
		{"eighty days later", later.Certified("secret", text, probe.TLS{CA: ca.pem}, wanted),
			want{api.Failed, probe.TLSLayer, "in less than 30 days", false}},
		{"of another name", p.Certified("secret", text, probe.TLS{Insecure: true}, probe.Valid{Names: []string{"down.test"}}),
			want{api.Failed, probe.TLSLayer, "not down.test", false}},
		{"there is none", p.Certified("secret", key, probe.TLS{}, wanted), want{api.Failed, probe.TLSLayer, "no certificate", false}},
		{"it cannot be read", p.Certified("secret", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), probe.TLS{}, wanted),
			want{api.Failed, probe.TLSLayer, "certificate 1 cannot be read", false}},
		{"authorities", p.Authorities("caBundle", append(soon.pem, ca.pem...), 10*day), want{verdict: api.Passed}},
		{"one of them ends too soon", p.Authorities("caBundle", append(ca.pem, soon.pem...), 30*day),
			want{api.Failed, probe.TLSLayer, "in less than 30 days", false}},
		{"one has expired", later.Authorities("caBundle", append(ca.pem, soon.pem...), 0), want{api.Failed, probe.TLSLayer, "has expired", false}},
		{"there is none in it", p.Authorities("caBundle", nil, 0), want{api.Failed, probe.TLSLayer, "no certificate", false}},
	} {
		t.Run(c.reason, func(t *testing.T) { c.want.test(t, c.got) })
	}
}
