package prober_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/prober"
)

const definitionVersion = "sluice.dev/definition-version"

// A definition that changes has to say that it is newer, else no cluster that has it gets the change.
func TestDefinitionsHaveVersions(t *testing.T) {
	digests := map[string]struct{ version, digest string }{
		"healthsignals.sluice.dev": {"1", "5c8eabe0745e"},
		"probeconfigs.sluice.dev":  {"1", "f854c967532f"},
		"proberuns.sluice.dev":     {"1", "54d3fca6c43a"},
	}
	for _, text := range strings.Split(prober.Definitions(), "---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		spec, err := json.Marshal(o.Object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		sum, want := sha256.Sum256(spec), digests[o.GetName()]
		if digest := hex.EncodeToString(sum[:6]); digest != want.digest || o.GetAnnotations()[definitionVersion] != want.version {
			t.Errorf("%s is another one: give it the version after %q, and write that and %s here", o.GetName(), want.version, digest)
		}
	}
}

// definition is one of things, in a version, with columns.
func definition(version string, names []string, columns ...string) *unstructured.Unstructured {
	var versions []any
	for i, name := range names {
		var shown []any
		for _, c := range columns {
			shown = append(shown, object{"name": c, "type": "string", "jsonPath": ".spec." + strings.ToLower(c)})
		}
		versions = append(versions, object{
			"name": name, "served": true, "storage": i == 0, "additionalPrinterColumns": shown,
			"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		})
	}
	o := &unstructured.Unstructured{Object: object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": object{"name": "things.test.sluice.dev"},
		"spec": object{"group": "test.sluice.dev", "scope": "Namespaced", "names": object{"plural": "things", "kind": "Thing"}, "versions": versions},
	}}
	if version != "" {
		o.SetAnnotations(map[string]string{definitionVersion: version})
	}
	return o
}

// definitionsAreUpgraded has a cluster with a definition meet an agent with another one.
func (c *real) definitionsAreUpgraded(t *testing.T) {
	one := []string{"v1"}
	for _, d := range []struct {
		reason  string
		live    *unstructured.Unstructured
		applies bool // who has written it keeps it so
		changed bool
		code    fault.Code
		column  string // that there is afterwards
	}{
		{"one without a version was made before there were any", definition("", one, "Old"), false, true, "", "New"},
		{"one that is older", definition("1", one, "Old"), false, true, "", "New"},
		{"one that is as new is left alone", definition("2", one, "Old"), false, false, "", "Old"},
		{"a newer agent's is never taken back", definition("3", one, "Old"), false, false, "", "Old"},
		{"somebody else applies it", definition("1", one, "Old"), true, false, fault.Conflict, "Old"},
		{"objects are stored in a version that is no more", definition("1", []string{"v0", "v1"}, "Old"), false, false, fault.Refused, "Old"},
	} {
		t.Run(d.reason, func(t *testing.T) {
			live := d.live.DeepCopy()
			var err error
			if d.applies {
				err = c.api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(live), client.FieldOwner("flux"))
			} else {
				live.SetLabels(map[string]string{"by": "somebody"})
				err = c.api.Create(t.Context(), live)
			}
			if err != nil {
				t.Fatal(err)
			}
			now := func() *unstructured.Unstructured {
				o := d.live.DeepCopy()
				if err := c.api.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
					return nil
				}
				return o
			}
			c.until("no version is said to be stored", func() bool {
				stored, _, _ := unstructured.NestedStringSlice(now().Object, "status", "storedVersions")
				return len(stored) > 0
			})
			changed, err := prober.Upgraded(t.Context(), c.api, definition("2", one, "New"))
			if changed != d.changed || (err == nil) != (d.code == "") || err != nil && fault.CodeOf(err) != d.code {
				t.Errorf("it is upgraded: %t, %v", changed, err)
			}
			if d.applies && (err == nil || !strings.Contains(err.Error(), "flux")) {
				t.Errorf("whose it is is not said: %v", err)
			}
			after := now()
			versions, _, _ := unstructured.NestedSlice(after.Object, "spec", "versions")
			columns, _, _ := unstructured.NestedSlice(versions[0].(object), "additionalPrinterColumns")
			if got := columns[0].(object)["name"]; got != d.column {
				t.Errorf("it has column %s", got)
			}
			if !d.applies && after.GetLabels()["by"] != "somebody" {
				t.Error("what somebody has added is taken away")
			}
			if again, err := prober.Upgraded(t.Context(), c.api, definition("2", one, "New")); again || d.changed && err != nil {
				t.Errorf("it is upgraded again: %t, %v", again, err)
			}
			if err := c.api.Delete(t.Context(), after); err != nil {
				t.Fatal(err)
			}
			c.until("it does not go", func() bool { return now() == nil })
		})
	}
}
