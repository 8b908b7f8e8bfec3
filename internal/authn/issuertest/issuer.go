// Package issuertest is an OIDC issuer for tests: a real HTTP server with discovery, keys that change, signatures, and the device flow.
// It trusts whoever asks, and is for tests only.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is one that listens on this machine.
type Issuer struct {
	URL string // its address, and its name in tokens

	t      testing.TB
	now    func() time.Time
	mu     sync.Mutex
	server *httptest.Server
	keys   []Key
	made   int
	asked  int // for keys
	device *device
	secure bool // it speaks TLS
}

// Key is one that an issuer signs with.
type Key struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Private   crypto.Signer
}

// New starts an issuer with one key for RS256. It ends with the test.
func New(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	return begun(&Issuer{t: t, now: now})
}

// NewPrivate is as New. The issuer speaks TLS, and its certificate is verified by those of caFile alone.
func NewPrivate(t testing.TB, now func() time.Time) (i *Issuer, caFile string) {
	t.Helper()
	i = begun(&Issuer{t: t, now: now, secure: true})
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return i, caFile
}

func begun(i *Issuer) *Issuer {
	i.t.Helper()
	i.device = &device{pending: map[string]*request{}}
	i.Rotate(jose.RS256)
	i.Start()
	i.t.Cleanup(i.Stop)
	return i
}

// Start has the issuer answer, at the address that it had before.
func (i *Issuer) Start() {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.server != nil {
		return
	}
	address := "127.0.0.1:0"
	if i.URL != "" {
		_, address, _ = strings.Cut(i.URL, "://")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		i.t.Fatalf("cannot start issuer: %v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.publish)
	mux.HandleFunc("POST /device", i.begin)
	mux.HandleFunc("POST /token", i.token)
	i.server = httptest.NewUnstartedServer(mux)
	_ = i.server.Listener.Close()
	i.server.Listener = listener
	if i.secure {
		i.server.Config.ErrorLog = log.New(io.Discard, "", 0)
		i.server.StartTLS()
	} else {
		i.server.Start()
	}
	i.URL = i.server.URL
}

// Stop has the issuer be away.
func (i *Issuer) Stop() {
	i.mu.Lock()
	server := i.server
	i.server = nil
	i.mu.Unlock()
	if server != nil {
		server.CloseClientConnections()
		server.Close()
	}
}

// Rotate replaces all keys by a new one, and returns that.
func (i *Issuer) Rotate(algorithm jose.SignatureAlgorithm) Key {
	i.t.Helper()
	k := NewKey(i.t, algorithm)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	k.ID = fmt.Sprintf("key-%d", i.made)
	i.keys = []Key{k}
	return k
}

// Key is the one that the issuer signs with now.
func (i *Issuer) Key() Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// Asked is how often the issuer was asked for its keys.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// NewKey makes a key that no issuer has.
func NewKey(t testing.TB, algorithm jose.SignatureAlgorithm) Key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case jose.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("there are no keys for %s here", algorithm)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Key{ID: "foreign", Algorithm: algorithm, Private: private}
}

// Token is signed by the key of now. It is issued now by this issuer, for an hour and for "sluice", where claims say nothing else; a
// claim that is nil is left out.
func (i *Issuer) Token(claims map[string]any) string {
	i.t.Helper()
	return i.TokenBy(i.Key(), claims)
}

// TokenBy is as Token, signed by another key.
func (i *Issuer) TokenBy(k Key, claims map[string]any) string {
	i.t.Helper()
	now := i.now()
	all := map[string]any{"iss": i.URL, "aud": "sluice", "sub": "anna", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return Sign(i.t, k, all)
}

// Sign makes a token of claims.
func Sign(t testing.TB, k Key, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", k.ID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.Algorithm, Key: k.Private}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
		"device_authorization_endpoint": i.URL + "/device", "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (i *Issuer) publish(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	set := jose.JSONWebKeySet{}
	for _, k := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
	}
	answer(w, http.StatusOK, set)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
