package authn

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// How often an issuer is asked for its keys.
const (
	keysFresh  = time.Hour        // known keys are asked for anew, so that one that the issuer withdraws is soon taken no longer
	keysPause  = 10 * time.Second // between two times, whatever tokens come: whoever invents keys must not make us hammer an issuer
	maxKeys    = 100
	leastRSA   = 2048 // bits
	maxKeyName = 256
)

// errUnknownKey is that a token names a key that its issuer has not.
var errUnknownKey = errors.New("it is signed by a key that the issuer has not")

// away is that keys could not be asked for, or not yet: the same token may be taken later.
type away struct{ cause error }

func (a *away) Error() string { return a.cause.Error() }
func (a *away) Unwrap() error { return a.cause }

// keys are an issuer's, as far as they are known. Those that are known stay while the issuer does not answer; none is added.
type keys struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	known   []jose.JSONWebKey
	fetched time.Time // when those that are known were
	asked   time.Time // when the issuer was last, whatever came of it
	asking  *asking   // nil where nobody asks
}

// asking is one question, for which many may wait.
type asking struct {
	done chan struct{}
	err  error
}

// verify checks a signature, and returns what is signed.
func (k *keys) verify(ctx context.Context, signed *jose.JSONWebSignature) ([]byte, error) {
	name, algorithm := signed.Signatures[0].Protected.KeyID, signed.Signatures[0].Protected.Algorithm
	if len(name) > maxKeyName {
		return nil, errUnknownKey
	}
	found, stale := k.find(name, algorithm)
	if stale {
		k.ask(ctx) // nobody waits: what is known goes on
	}
	if found == nil {
		if err := k.wait(ctx); err != nil {
			return nil, err
		}
		if found, _ = k.find(name, algorithm); found == nil {
			return nil, errUnknownKey
		}
	}
	payload, err := signed.Verify(found.Key)
	if err != nil {
		return nil, errors.New("its signature does not fit the key that it names")
	}
	return payload, nil
}

// find is the key of a name that fits an algorithm, or nil, and whether keys are known that should be asked for anew. A token without
// the name of a key is for an issuer that has one only.
func (k *keys) find(name, algorithm string) (found *jose.JSONWebKey, stale bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetched)
	stale = len(k.known) > 0 && (age > keysFresh || age < 0)
	for i := range k.known {
		key := &k.known[i]
		if name == "" && len(k.known) > 1 || name != "" && key.KeyID != name || key.Algorithm != "" && key.Algorithm != algorithm {
			continue
		}
		return key, stale
	}
	return nil, stale
}

// wait asks the issuer, or waits for whoever does.
func (k *keys) wait(ctx context.Context) error {
	q := k.ask(ctx)
	if q == nil {
		return &away{fmt.Errorf("%w, and it was asked just now", errUnknownKey)}
	}
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return &away{errors.New("whoever asked did not wait for the issuer")}
	}
}

// ask begins to ask the issuer, or joins whoever does; nil where that was too short a time ago.
func (k *keys) ask(ctx context.Context) *asking {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asking != nil {
		return k.asking
	}
	now := k.now()
	if since := now.Sub(k.asked); !k.asked.IsZero() && since >= 0 && since < keysPause {
		return nil
	}
	q := &asking{done: make(chan struct{})}
	k.asking, k.asked = q, now
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	go func() {
		defer cancel()
		found, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if err != nil {
			q.err = &away{fmt.Errorf("the issuer does not say which keys it has: %w", err)}
		} else {
			k.known, k.fetched = found, k.now()
		}
		k.asking = nil
		close(q.done)
	}()
	return q
}

// fetch asks the issuer where its keys are, and for these.
func (k *keys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.url)
	if err != nil {
		return nil, err
	}
	var where struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&where); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.Keys, nil)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var usable []jose.JSONWebKey
	for _, data := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(data, &key); err == nil && signs(&key) {
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return nil, errors.New("it has no public key for signatures")
	}
	return usable, nil
}

// signs reports whether a key is one by which a signature can be trusted: public, for signatures, and not too short. What an issuer
// has beside such keys is passed by, as the standard wants it.
func signs(key *jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	if public, ok := key.Key.(*rsa.PublicKey); ok {
		return public.N.BitLen() >= leastRSA
	}
	return true
}
