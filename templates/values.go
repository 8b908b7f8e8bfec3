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
	"strings"

	"sluice.dev/sluice/pipelines"
)

// imagesKey is where a chart finds the component's images: .Values.images.SLOT.
const imagesKey = "images"

// Values merges a component's config layers for a place - fleet < environment < network domain < cluster group <
// cluster - and adds the place's image references: under the keys that their slot names, else under "images". Maps are
// merged key by key, lists are replaced whole, and null takes away what a layer below has set; for a chart it stays, to
// take away the chart's own default too. The result shares nothing with the component.
func Values(component *pipelines.Component, place pipelines.Place) (map[string]any, error) {
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
	return values, setImages(values, component, place)
}

// setImages puts the references of a component's image slots into values.
func setImages(values map[string]any, component *pipelines.Component, place pipelines.Place) error {
	name := component.Metadata.Name
	images := map[string]any{}
	for _, slot := range slices.Sorted(maps.Keys(component.Spec.Images)) {
		image := component.Spec.Images[slot]
		reference := imageReference(image, place.Environment)
		if reference == "" {
			return &RenderError{Message: fmt.Sprintf("component %s: image slot %q has no reference for environment %q and no default",
				name, slot, place.Environment)}
		}
		if image.Values == nil {
			images[slot] = reference
			continue
		}
		parts, err := image.Values.Of(reference)
		if err != nil {
			return &RenderError{Message: fmt.Sprintf("component %s: image slot %q cannot be put into values", name, slot), Cause: err}
		}
		for _, part := range parts {
			if err := setValue(values, part.Path, part.Text); err != nil {
				return &RenderError{Message: fmt.Sprintf("component %s: image slot %q cannot be put into values", name, slot), Cause: err}
			}
		}
	}
	if len(images) == 0 {
		return nil
	}
	if _, taken := values[imagesKey]; taken {
		return &RenderError{Message: fmt.Sprintf("component %s: config sets %q, which is where the images of the component go", name, imagesKey)}
	}
	values[imagesKey] = images
	return nil
}

// setValue sets a text under a path of keys, which must be free.
func setValue(values map[string]any, path []string, text string) error {
	for i, key := range path {
		inner, there := values[key]
		if i == len(path)-1 {
			if there {
				return fmt.Errorf("config sets %s too", strings.Join(path, "."))
			}
			values[key] = text
			return nil
		}
		next, isMap := inner.(map[string]any)
		if there && !isMap {
			return fmt.Errorf("config sets %s, which is no map", strings.Join(path[:i+1], "."))
		}
		if !there {
			next = map[string]any{}
			values[key] = next
		}
		values = next
	}
	return nil
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
