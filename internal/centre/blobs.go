package centre

import (
	"context"
	"encoding/json"
	"sync"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// blobs are those that the site of whoever calls may read: what it stored, and what records of its clusters name.
type blobs struct{ centre *Centre }

// Place implements uplink.Blobs.
func (b blobs) Place(ctx context.Context) (func(), error) {
	return b.centre.blobs.take(ctx, callerOf(ctx).Name)
}

// Blob implements uplink.Blobs.
func (b blobs) Blob(ctx context.Context, digest string) ([]byte, error) {
	if err := b.centre.mayRead(ctx, digest); err != nil {
		return nil, err
	}
	return b.centre.Ledger.Blob(ctx, digest)
}

// PutBlob implements uplink.Blobs.
func (b blobs) PutBlob(ctx context.Context, data []byte) (string, error) {
	if err := b.centre.bounds.store(ctx, callerOf(ctx).Name, len(data)); err != nil {
		return "", err
	}
	digest, err := b.centre.Ledger.PutBlob(ctx, data)
	if err != nil {
		return "", err
	}
	return digest, b.centre.share(ctx, []string{digest})
}

// mayRead is fault.NotFound where the site of whoever calls was never given a blob: whether there is one it does not learn.
func (c *Centre) mayRead(ctx context.Context, digest string) error {
	may, err := c.known.shared(ctx, c.Ledger, callerOf(ctx).Site, digest)
	if err != nil || may {
		return err
	}
	return fault.New(fault.NotFound, "cannot find blob %.80s", digest)
}

// known remembers what was shared, so that the ledger is not asked each time. Nothing is taken back, so it is never wrong.
type known struct {
	mu     sync.Mutex
	shares map[string]bool // "site digest"
}

const mostKnown = 100_000

func (k *known) has(site, digest string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shares[site+" "+digest]
}

func (k *known) note(site string, digests []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shares == nil || len(k.shares) > mostKnown {
		k.shares = map[string]bool{}
	}
	for _, d := range digests {
		k.shares[site+" "+d] = true
	}
}

func (k *known) share(ctx context.Context, l ledger.Agents, site string, digests []string) error {
	var new []string
	for _, d := range digests {
		if !k.has(site, d) {
			new = append(new, d)
		}
	}
	if len(new) == 0 {
		return nil
	}
	if err := l.Share(ctx, site, new...); err != nil {
		return err
	}
	k.note(site, new)
	return nil
}

func (k *known) shared(ctx context.Context, l ledger.Agents, site, digest string) (bool, error) {
	if k.has(site, digest) {
		return true, nil
	}
	may, err := l.Shared(ctx, site, digest)
	if may {
		k.note(site, []string{digest})
	}
	return may, err
}

func encoded(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return data, fault.Wrap(fault.Internal, err, "cannot encode %T", v)
}
