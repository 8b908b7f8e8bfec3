package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/forge"
)

const (
	// signing is how a secret begins by which GitLab signs, as Standard Webhooks has it. Others GitLab sends along as they are.
	signing = "whsec_"
	// apart is how far the clocks of GitLab and Sluice may be apart, and how old a signed delivery may be.
	apart = 5 * time.Minute
	// maxSignatures is how many signatures of one delivery are compared: there are several while a secret is changed.
	maxSignatures = 10
)

// proven reports whether a delivery shows that its sender knows a secret, and what of it no other delivery has.
func proven(head http.Header, body []byte, s Secret, now time.Time) (once string, ok bool) {
	if s.Value == "" {
		return "", false // or everybody would know it
	}
	switch s.Forge {
	case forge.GitHub:
		return hubSigned(head, body, []byte(s.Value))
	case forge.GitLab:
		if encoded, ok := strings.CutPrefix(s.Value, signing); ok {
			return standard(head, body, encoded, now)
		}
		return shown(head, s.Value)
	}
	return "", false
}

// hubSigned has a delivery be known by its signature: the id of a delivery is not part of what GitHub signs.
func hubSigned(head http.Header, body, key []byte) (string, bool) {
	given := head.Values("X-Hub-Signature-256")
	if len(given) != 1 {
		return "", false
	}
	digest, found := strings.CutPrefix(given[0], "sha256=")
	sum, err := hex.DecodeString(digest)
	if !found || err != nil || !hmac.Equal(sum, signed(key, body)) {
		return "", false
	}
	return "github:" + hex.EncodeToString(sum), true
}

// shown compares digests: how long a comparison takes tells nothing then, not even how long the secret is.
func shown(head http.Header, secret string) (string, bool) {
	given := head.Values("X-Gitlab-Token")
	if len(given) != 1 {
		return "", false
	}
	a, b := sha256.Sum256([]byte(given[0])), sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return "", false
	}
	id := first(head, "Idempotency-Key", "X-Gitlab-Event-UUID")
	if id == "" || len(id) > maxDelivery {
		return "", true // an older GitLab; nothing tells a replay from what happens twice
	}
	return "gitlab:" + id, true
}

func standard(head http.Header, body []byte, encoded string, now time.Time) (string, bool) {
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return "", false
	}
	id, at := head.Values("Webhook-Id"), head.Values("Webhook-Timestamp")
	if len(id) != 1 || len(at) != 1 || id[0] == "" || len(id[0]) > maxDelivery {
		return "", false
	}
	seconds, err := strconv.ParseInt(at[0], 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > apart {
		return "", false
	}
	want := signed(key, []byte(id[0]+"."+at[0]+"."), body)
	given := strings.Fields(strings.Join(head.Values("Webhook-Signature"), " "))
	ok := false
	for _, one := range given[:min(len(given), maxSignatures)] {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "v1,"))
		ok = err == nil && strings.HasPrefix(one, "v1,") && hmac.Equal(sum, want) || ok
	}
	return "gitlab:" + id[0], ok
}

func signed(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}
