package templates

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"sluice.dev/sluice/pipelines"
)

// imagesKey is where a chart finds the component's images: .Values.images.SLOT.
const imagesKey = "images"

// Values merges a component's config layers for a place - fleet < environment < network domain < cluster group <
// cluster - and adds the place's image references under "images". Maps are merged key by key, lists are replaced whole,
// and null takes away what a layer below has set; for a chart it stays, to take away the chart's own default too. The
// result shares nothing with the component.
func Values(component *pipelines.Component, place Place) (map[string]any, error) {
	config := component.Spec.Config
	values := map[string]any{}
	for _, layer := range []map[string]any{
		config.Fleet,
		config.Environments[place.Environment],
		config.NetworkDomains[place.NetworkDomain],
		config.ClusterGroups[place.Group],
		config.Clusters[place.Cluster],
	} {
		mergeLayer(values, layer)
	}
	if component.Spec.Template.Chart == "" {
		dropNulls(values)
	}
	if len(component.Spec.Images) == 0 {
		return values, nil
	}
	if _, taken := values[imagesKey]; taken {
		return nil, &RenderError{Message: fmt.Sprintf("component %s: config sets %q, which is where the images of the component go",
			component.Metadata.Name, imagesKey)}
	}
	images := map[string]any{}
	for _, slot := range slices.Sorted(maps.Keys(component.Spec.Images)) {
		reference := imageReference(component.Spec.Images[slot], place.Environment)
		if reference == "" {
			return nil, &RenderError{Message: fmt.Sprintf("component %s: image slot %q has no reference for environment %q and no default",
				component.Metadata.Name, slot, place.Environment)}
		}
		images[slot] = reference
	}
	values[imagesKey] = images
	return values, nil
}

func imageReference(image pipelines.Image, environment string) string {
	if reference := image.Environments[environment]; reference != "" {
		return reference
	}
	return image.Default
}

func mergeLayer(into, layer map[string]any) {
	for key, value := range layer {
		over, isMap := value.(map[string]any)
		if !isMap {
			into[key] = copyValue(value)
			continue
		}
		under, isMap := into[key].(map[string]any)
		if !isMap {
			under = map[string]any{}
			into[key] = under
		}
		mergeLayer(under, over)
	}
}

func dropNulls(values map[string]any) {
	for key, value := range values {
		if value == nil {
			delete(values, key)
		}
		if inner, isMap := value.(map[string]any); isMap {
			dropNulls(inner)
		}
	}
}

// copyValue copies a value deeply, and writes whole numbers as int64: a value that was stored as JSON renders the same as
// one that came from YAML, and 1000000 is not written as 1e+06.
func copyValue(value any) any {
	switch v := value.(type) {
	case int:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < maxExactInteger {
			return int64(v)
		}
		return v
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = copyValue(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyValue(item)
		}
		return out
	default:
		return value
	}
}

// maxExactInteger is the first whole number beside which a float64 has gaps.
const maxExactInteger = 1 << 53

// CanonicalJSON returns v as JSON with sorted keys, without spaces and without HTML escapes: equal values give equal
// bytes.
func CanonicalJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode as JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Digest returns "sha256:<hex>" of bytes.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
