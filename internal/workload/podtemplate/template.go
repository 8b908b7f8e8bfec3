// Package podtemplate compares pod templates by what they mean: as an owner rendered them, as the API server filled them in, as
// others have added to them. It knows no workload and no cluster.
package podtemplate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// Digest identifies a pod template by its meaning: how quantities and empty fields are written does not matter.
func Digest(template any) string {
	typed, err := Typed(template)
	if err != nil {
		return ""
	}
	text, err := json.Marshal(typed)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Typed reads a template.
func Typed(template any) (*corev1.PodTemplateSpec, error) {
	text, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	typed := &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(text, typed); err != nil {
		return nil, err
	}
	return typed, nil
}

// Of returns a workload's pod template, not a copy of it; nil where it has none.
func Of(object *unstructured.Unstructured) map[string]any {
	template, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "template")
	fields, _ := template.(map[string]any)
	return fields
}

// Carries reports whether a live template has everything that a rendered one says. What the API server or a webhook has
// added to it does not matter.
func Carries(live, rendered map[string]any) bool {
	wanted, err := normal(rendered)
	if err != nil {
		return false
	}
	have, err := normal(live)
	if err != nil {
		return false
	}
	schema, err := strategicpatch.NewPatchMetaFromStruct(corev1.PodTemplateSpec{})
	if err != nil {
		return false
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(wanted, wanted, have, schema, true)
	if err != nil {
		return false
	}
	// A patch that only says in which order a list stands changes nothing.
	merged, err := strategicpatch.StrategicMergePatch(have, patch, corev1.PodTemplateSpec{})
	return err == nil && Digest(json.RawMessage(merged)) == Digest(json.RawMessage(have))
}

func normal(template map[string]any) ([]byte, error) {
	typed, err := Typed(template)
	if err != nil {
		return nil, err
	}
	return json.Marshal(typed)
}

// Turned reports whether a live template is at rendered's side of what differs between two rendered shapes. A template
// that only adds to another carries both, so that carries alone does not tell them apart.
func Turned(recorded *unstructured.Unstructured, live map[string]any, rendered *unstructured.Unstructured) bool {
	if !Carries(live, Of(rendered)) {
		return false
	}
	from, err := normal(Of(recorded))
	if err != nil {
		return false
	}
	to, err := normal(Of(rendered))
	if err != nil {
		return false
	}
	have, err := normal(live)
	if err != nil {
		return false
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(from, to, corev1.PodTemplateSpec{})
	if err != nil {
		return false
	}
	merged, err := strategicpatch.StrategicMergePatch(have, patch, corev1.PodTemplateSpec{})
	return err == nil && Digest(json.RawMessage(merged)) == Digest(json.RawMessage(have))
}
