package patch

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// componentAnnotation is templates.ComponentAnnotation: which component of Sluice an object belongs to.
const componentAnnotation = "sluice.dev/component"

// ownerOf names who else keeps an object as they want it, and how to end that; "" where nobody does. What Helm has
// installed is taken over by writing our annotation on it; what Argo CD or Flux still track they would write back.
func ownerOf(live *unstructured.Unstructured, component string) (owner, wayOut string) {
	annotations, labels := live.GetAnnotations(), live.GetLabels()
	if id := annotations["argocd.argoproj.io/tracking-id"]; id != "" {
		return fmt.Sprintf("Argo CD (tracking-id %s)", id),
			"take it out of the application, or the application out of automated sync, and remove the annotation"
	}
	if name := labels["argocd.argoproj.io/instance"]; name != "" {
		return fmt.Sprintf("Argo CD (application %s)", name), "take it out of the application and remove the label"
	}
	for _, flux := range []struct{ kind, prefix string }{
		{"Kustomization", "kustomize.toolkit.fluxcd.io"},
		{"HelmRelease", "helm.toolkit.fluxcd.io"},
	} {
		if name := labels[flux.prefix+"/name"]; name != "" {
			return fmt.Sprintf("Flux (%s %s/%s)", flux.kind, labels[flux.prefix+"/namespace"], name),
				"suspend it, take the object out of it and remove its labels"
		}
	}
	ours := annotations[componentAnnotation]
	if ours != "" && ours != component {
		return "component " + ours, "take it out of that component first"
	}
	if release := annotations["meta.helm.sh/release-name"]; release != "" && ours == "" {
		return fmt.Sprintf("Helm (release %s/%s)", annotations["meta.helm.sh/release-namespace"], release),
			"adopt it: an exception lets this component take it over, after which nobody upgrades the release any more"
	}
	return "", ""
}
