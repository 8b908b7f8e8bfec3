package check

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/probe"
)

// reviewID is the identity of the review that webhooks are asked for. What they answer must have it.
const reviewID = "51c1ce00-0000-4000-8000-000000000001"

// review is a review of a ConfigMap that nobody makes: a dry run, as kubectl has it. Every webhook must answer it; that it denies it
// is an answer.
const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"` + reviewID + `",` +
	`"kind":{"group":"","version":"v1","kind":"ConfigMap"},"resource":{"group":"","version":"v1","resource":"configmaps"},` +
	`"requestKind":{"group":"","version":"v1","kind":"ConfigMap"},"requestResource":{"group":"","version":"v1","resource":"configmaps"},` +
	`"name":"sluice-asks-whether-you-answer","namespace":"default","operation":"CREATE","userInfo":{"username":"sluice"},` +
	`"object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"sluice-asks-whether-you-answer","namespace":"default"}},` +
	`"oldObject":null,"dryRun":true,"options":{"apiVersion":"meta.k8s.io/v1","kind":"CreateOptions","dryRun":["All"]}}}`

// answersReview says why a body is no answer to the review.
func answersReview(body []byte) error {
	var answer struct {
		Kind     string
		Response *struct{ UID string }
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return errors.New("the answer is no JSON")
	case answer.Kind != "AdmissionReview" || answer.Response == nil:
		return errors.New("the answer is no AdmissionReview with a response")
	case answer.Response.UID != reviewID:
		return errors.New("the answer is to another review")
	}
	return nil
}

// webhooks asks every webhook of the configurations that the step names.
func (l *workloadLook) webhooks(ctx context.Context) {
	answered := 0
	for _, want := range l.step.Webhooks {
		kind := schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: string(want.Kind)}
		configuration, err := l.place.API.Get(ctx, kind, "", want.Name)
		switch {
		case fault.CodeOf(err) == fault.NotFound:
			l.failed = append(l.failed, fmt.Sprintf("there is no %s %s", want.Kind, want.Name))
			continue
		case err != nil:
			l.broken = append(l.broken, err.Error())
			continue
		}
		hooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
		if len(hooks) == 0 {
			l.doubts = append(l.doubts, want.Name+" has no webhooks")
		}
		for _, h := range hooks {
			hook, _ := h.(map[string]any)
			if l.webhook(ctx, hook) {
				answered++
			}
		}
	}
	if len(l.step.Webhooks) > 0 {
		l.seen["workload.webhooksAnswering"] = answered
	}
}

// webhook asks one webhook: at its URL from here, by the authorities of its configuration; behind a Service through the API server,
// which does not look at certificates there.
func (l *workloadLook) webhook(ctx context.Context, hook map[string]any) bool {
	name, _, _ := unstructured.NestedString(hook, "name")
	if url, _, _ := unstructured.NestedString(hook, "clientConfig", "url"); url != "" {
		return l.webhookAt(ctx, name, url, hook)
	}
	service, found, _ := unstructured.NestedMap(hook, "clientConfig", "service")
	if !found {
		l.failed = append(l.failed, "webhook "+name+" names neither a URL nor a Service")
		return false
	}
	text := func(key string) string { s, _ := service[key].(string); return s }
	port, _ := service["port"].(int64)
	body, err := l.place.API.PostToService(ctx, kube.ServicePort{
		Namespace: text("namespace"), Name: text("name"), Port: strconv.FormatInt(cmp.Or(port, 443), 10), Path: text("path"), TLS: true,
	}, []byte(review))
	if err == nil {
		err = answersReview(body)
	}
	switch {
	case err == nil:
		return true
	case fault.CodeOf(err) == fault.Unreachable || fault.CodeOf(err) == fault.Unauthorized || errors.Is(err, context.Canceled):
		l.broken = append(l.broken, "webhook "+name+": "+err.Error())
	default:
		l.failed = append(l.failed, "webhook "+name+" does not answer: "+err.Error())
	}
	return false
}

func (l *workloadLook) webhookAt(ctx context.Context, name, url string, hook map[string]any) bool {
	text, _, _ := unstructured.NestedString(hook, "clientConfig", "caBundle")
	authorities, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		l.failed = append(l.failed, "webhook "+name+": its caBundle is no base64")
		return false
	}
	result := l.prober.HTTP(ctx, probe.HTTP{
		URL: url, Method: http.MethodPost, Headers: map[string]string{"Content-Type": "application/json"}, Body: review,
		TLS: probe.TLS{CA: authorities}, Accept: func(a probe.Answer) error { return answersReview(a.Body) },
	})
	switch result.Verdict {
	case api.Passed:
		return true
	case api.Failed:
		l.failed = append(l.failed, "webhook "+name+" does not answer: "+result.Message)
	case api.Inconclusive:
		l.doubts = append(l.doubts, "webhook "+name+": "+result.Message)
	default:
		l.broken = append(l.broken, "webhook "+name+": "+result.Message)
	}
	return false
}
