package forgetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/hook"
)

// Deliver sends an event to a webhook, proven by a secret as the forge does it, and returns the status of the answer. Of the event it goes
// by the kind, the branch without its prefix, the commit and the request.
func (r *Repository) Deliver(ctx context.Context, to, secret string, e hook.Event) int {
	r.f.t.Helper()
	request, err := r.delivery(ctx, to, secret, e)
	if err != nil {
		r.f.t.Fatal(err)
	}
	answer, err := r.f.server.Client().Do(request)
	if err != nil {
		r.f.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}

func (r *Repository) delivery(ctx context.Context, to, secret string, e hook.Event) (*http.Request, error) {
	r.f.mu.Lock()
	id := "delivery-" + strconv.FormatInt(r.f.id(), 10)
	r.f.mu.Unlock()
	shape, sign := r.hubPayload, hubSign
	if r.f.Kind == forge.GitLab {
		shape, sign = r.labPayload, r.labSign
	}
	name, payload := shape(e)
	payload["delivered"] = id // as no two are the same: those of the forges have a time in them
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	sign(request.Header, name, id, secret, body)
	return request, nil
}

func (r *Repository) hubPayload(e hook.Event) (string, object) {
	p := object{"repository": object{"id": r.id, "full_name": r.Name}}
	switch e.Kind {
	case hook.Push:
		p["ref"], p["after"], p["before"] = "refs/heads/"+e.Ref, e.After, strings.Repeat("0", 40)
		return "push", p
	case hook.Request, hook.Review:
		p["number"] = e.Request
		p["pull_request"] = object{"number": e.Request, "head": object{"sha": e.After}, "base": object{"ref": e.Ref}}
		return map[hook.Kind]string{hook.Request: "pull_request", hook.Review: "pull_request_review"}[e.Kind], p
	}
	p["zen"] = "Speak like a human."
	return "ping", p
}

func hubSign(head http.Header, event, id, secret string, body []byte) {
	head.Set("X-GitHub-Event", event)
	head.Set("X-GitHub-Delivery", id)
	head.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac([]byte(secret), body)))
}

func (r *Repository) labPayload(e hook.Event) (string, object) {
	p := object{"project": object{"id": r.id, "path_with_namespace": r.Name}}
	switch e.Kind {
	case hook.Push:
		p["object_kind"], p["ref"], p["after"], p["checkout_sha"] = "push", "refs/heads/"+e.Ref, e.After, e.After
		return "Push Hook", p
	case hook.Request, hook.Review:
		action := map[hook.Kind]string{hook.Request: "update", hook.Review: "approved"}[e.Kind]
		p["object_kind"] = "merge_request"
		p["object_attributes"] = object{"iid": e.Request, "target_branch": e.Ref, "last_commit": object{"id": e.After}, "action": action}
		return "Merge Request Hook", p
	}
	p["object_kind"] = "note"
	return "Note Hook", p
}

func (r *Repository) labSign(head http.Header, event, id, secret string, body []byte) {
	head.Set("X-Gitlab-Event", event)
	head.Set("Idempotency-Key", id)
	encoded, signs := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !signs || err != nil {
		head.Set("X-Gitlab-Token", secret)
		return
	}
	at := strconv.FormatInt(r.f.now().Unix(), 10)
	head.Set("Webhook-Id", id)
	head.Set("Webhook-Timestamp", at)
	head.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(key, []byte(id+"."+at+"."), body)))
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
