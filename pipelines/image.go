package pipelines

import (
	"fmt"
	"regexp"
	"strings"
)

// ImageReference is the parts of an image reference: registry/repository:tag@digest.
type ImageReference struct {
	Registry   string // with its port; "" where the reference names none
	Repository string // without the registry
	Tag        string
	Digest     string // with its algorithm: sha256:...
}

var (
	imageRepository = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	imageTag        = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	imageDigest     = regexp.MustCompile(`^[a-z0-9]+([.+_-][a-z0-9]+)*:[0-9a-f]{32,}$`)
)

// DefaultRegistry is where a reference without a registry points to, and DefaultTag what one without tag and digest means.
const (
	DefaultRegistry = "docker.io"
	DefaultTag      = "latest"
)

// ParseImage takes an image reference apart, as container runtimes do: the first part of a path is a registry where it has a
// dot or a port, or is localhost.
func ParseImage(text string) (ImageReference, error) {
	var r ImageReference
	rest, digest, hasDigest := strings.Cut(text, "@")
	if r.Digest = digest; hasDigest && !imageDigest.MatchString(digest) {
		return r, fmt.Errorf("%q is no image reference: its digest is not sha256: and 64 hexadecimal digits", text)
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		rest, r.Tag = rest[:colon], rest[colon+1:]
		if !imageTag.MatchString(r.Tag) {
			return r, fmt.Errorf("%q is no image reference: %q is no tag", text, r.Tag)
		}
	}
	first, path, hasPath := strings.Cut(rest, "/")
	if hasPath && (strings.ContainsAny(first, ".:") || first == "localhost") {
		r.Registry, rest = first, path
	}
	if r.Repository = rest; !imageRepository.MatchString(rest) {
		return r, fmt.Errorf("%q is no image reference: %q is no repository", text, rest)
	}
	return r, nil
}

// ImageValue is a text for a key of a chart's values.
type ImageValue struct {
	Path []string // of keys
	Text string
}

// Keys lists the keys that a slot is mapped onto, by part, in a fixed order.
func (v *ImageValues) Keys() []ImageKey {
	var keys []ImageKey
	for _, k := range []ImageKey{
		{"reference", v.Reference}, {"registry", v.Registry}, {"repository", v.Repository}, {"tag", v.Tag}, {"digest", v.Digest},
	} {
		if k.Key != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// ImageKey is a part of an image reference and the key of the values that it is mapped onto, with dots between its levels.
type ImageKey struct {
	Part, Key string
}

// Path is the key's levels.
func (k ImageKey) Path() []string { return strings.Split(k.Key, ".") }

// Of says which texts go under which keys for a reference, so that a chart that puts the parts together gets just that
// reference. A part that the reference has not is set too, as empty: the chart's own default would join the others. What has a
// digest and no key for it is written so that repository:tag comes to it: repo:tag@digest, or repo@sha256 with its hex as the tag.
func (v *ImageValues) Of(reference string) ([]ImageValue, error) {
	if v.Reference != "" {
		return []ImageValue{{ImageKey{"", v.Reference}.Path(), reference}}, nil
	}
	r, err := ParseImage(reference)
	if err != nil {
		return nil, err
	}
	if r.Tag == "" && r.Digest == "" {
		r.Tag = DefaultTag
	}
	parts := map[string]string{"repository": r.Repository, "tag": r.Tag, "digest": r.Digest}
	switch {
	case v.Registry == "" && r.Registry != "":
		parts["repository"] = r.Registry + "/" + r.Repository
	case v.Registry != "" && r.Registry == "":
		parts["registry"] = DefaultRegistry
	default:
		parts["registry"] = r.Registry
	}
	switch {
	case v.Digest != "" && v.Tag == "" && r.Digest == "":
		return nil, fmt.Errorf("%q has no digest, and its tag has no key: map tag too", reference)
	case v.Digest == "" && r.Digest != "" && r.Tag != "":
		parts["tag"] = r.Tag + "@" + r.Digest
	case v.Digest == "" && r.Digest != "":
		algorithm, hex, _ := strings.Cut(r.Digest, ":")
		parts["repository"] += "@" + algorithm
		parts["tag"] = hex
	}
	var values []ImageValue
	for _, k := range v.Keys() {
		values = append(values, ImageValue{k.Path(), parts[k.Part]})
	}
	return values, nil
}
