package prober

import (
	"context"
	"embed"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/fault"
)

//go:embed crds/*.yaml
var definitions embed.FS

// Definitions are the CustomResourceDefinitions of what probes are in a cluster, as documents of YAML.
func Definitions() string {
	entries, err := definitions.ReadDir("crds")
	if err != nil {
		panic(err) // they are in the program
	}
	var all []string
	for _, e := range entries {
		text, err := definitions.ReadFile("crds/" + e.Name())
		if err != nil {
			panic(err)
		}
		all = append(all, string(text))
	}
	return strings.Join(all, "---\n")
}

// Times in which a cluster is to know what a probe is.
const (
	defineWithin = 20 * time.Second
	defineEvery  = 200 * time.Millisecond
)

// define has a cluster know the kinds: where it has no definitions they are written. Those that are there are upgraded afterwards.
func define(m manager.Manager) error {
	return eachDefinition(m, func(ctx context.Context, api client.Client, want *unstructured.Unstructured) error {
		// No probe needs signals: whoever wants to write one where they are not defined is told so.
		if err := defined(ctx, api, want); err != nil && want.GetName() != signals {
			return err
		}
		return nil
	})
}

// eachDefinition has something done with each definition in a cluster, all of it within defineWithin.
func eachDefinition(m manager.Manager, do func(context.Context, client.Client, *unstructured.Unstructured) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), defineWithin)
	defer cancel()
	api, err := client.New(m.GetConfig(), client.Options{HTTPClient: m.GetHTTPClient()})
	if err != nil {
		return err
	}
	for _, text := range strings.Split(Definitions(), "---\n") {
		want := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &want.Object); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot read a definition")
		}
		if err := do(ctx, api, want); err != nil {
			return err
		}
	}
	return nil
}

func defined(ctx context.Context, api client.Client, want *unstructured.Unstructured) error {
	name := want.GetName()
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("sluice.dev/v1alpha1")
	kind, _, _ := unstructured.NestedString(want.Object, "spec", "names", "listKind")
	list.SetKind(kind)
	asked := false
	for {
		err := api.List(ctx, list, client.Limit(1))
		if err == nil {
			return nil
		}
		if !missing(err) {
			return fault.Wrap(fault.Unreachable, err, "cannot look for %s", name)
		}
		if !asked {
			asked = true
			if err := api.Create(ctx, want.DeepCopy()); err != nil && !apierrors.IsAlreadyExists(err) {
				return fault.Wrap(fault.Unauthorized, err,
					"cannot define %s, which the cluster does not have; write what 'sluice probe crds' prints", name)
			}
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.Unreachable, err, "the cluster does not serve %s, though it is defined", name)
		case <-time.After(defineEvery):
		}
	}
}
