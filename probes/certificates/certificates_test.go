package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probes/internal/trial"
)

// signed is a certificate that is valid until a time, with its key.
func signed(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-1000 * day), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func encoded(t *testing.T, untils ...time.Time) []byte {
	var bundle []byte
	for _, until := range untils {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed(t, until).Certificate[0]})...)
	}
	return bundle
}

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func TestHowLongABundleIsGood(t *testing.T) {
	soon, late := now.Add(day), now.Add(900*day)
	for _, c := range []struct {
		reason string
		bundle []byte
		until  time.Time
		code   string
	}{
		{"as long as its one", encoded(t, soon), soon, ""},
		{"while authorities are exchanged, as long as the longer", encoded(t, soon, late), late, ""},
		{"in whatever order", encoded(t, late, soon), late, ""},
		{"with none it is good for nothing", []byte("none"), time.Time{}, "BadCertificate"},
		{"nor with one that is broken", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), time.Time{}, "BadCertificate"},
	} {
		until, err := bundled(c.bundle)
		if _, code := trial.Judge(err); !until.Equal(c.until) || code != c.code {
			t.Errorf("%s: until %s, %v", c.reason, until, err)
		}
	}
}

// TestWhatAServerShows looks at servers that nobody trusts: it is about when their certificates end.
func TestWhatAServerShows(t *testing.T) {
	for _, c := range []struct {
		reason string
		until  time.Time
		auth   tls.ClientAuthType
	}{
		{"one that is valid", now.Add(900 * day), tls.NoClientCert},
		{"one that has expired", now.Add(-day), tls.NoClientCert},
		{"a kubelet turns away who shows none himself, after it has shown its own", now.Add(900 * day), tls.RequireAnyClientCert},
	} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{signed(t, c.until)}, ClientAuth: c.auth})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := listener.Accept(); err == nil {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}
		}()
		until, err := served(t.Context(), listener.Addr().String(), "somebody")
		if err != nil || !until.Equal(c.until) {
			t.Errorf("%s: until %s, %v", c.reason, until, err)
		}
		_ = listener.Close()
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	if _, err := served(t.Context(), closed.Addr().String(), "nobody"); err == nil {
		t.Error("nobody shows a certificate")
	} else if v, _ := trial.Judge(err); v != probe.Error {
		t.Errorf("who cannot be reached shows %s", v)
	}
}

func TestWhenACertificateIsAFault(t *testing.T) {
	for _, c := range []struct {
		reason string
		until  time.Time
		code   string
	}{
		{"it is valid long enough", now.Add(14 * day), ""},
		{"a moment less", now.Add(14*day - time.Second), "CertificateExpires"},
		{"it is over", now, "CertificateExpired"},
	} {
		if _, code := trial.Judge(judge(c.until, now, 14)); code != c.code {
			t.Errorf("%s: %q", c.reason, code)
		}
	}
}
