package pod

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Name is the name of the pod of a key: the same wherever and whenever it is asked for, at most 63 characters.
func Name(purpose, key string) string {
	return "sluice-" + purpose + "-" + digest(key)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:10])
}

// Of reports whether a pod was made for a key, and does not only have its name.
func Of(p *corev1.Pod, purpose, key string) bool {
	return p.Labels[LabelPurpose] == purpose && KeyOf(p) == key
}

var (
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	unlabelled = regexp.MustCompile(`[^-A-Za-z0-9_.]+`)
)

// LabelValue is a text as the value of a label: itself where it can be, else what is left of it and a digest.
func LabelValue(text string) string {
	if labelValue.MatchString(text) {
		return text
	}
	const room = 63 - 1 - 20
	clean := strings.Trim(unlabelled.ReplaceAllString(text, "-"), "-_.")
	clean = strings.TrimRight(clean[:min(len(clean), room)], "-_.")
	if clean == "" {
		return digest(text)
	}
	return clean + "-" + digest(text)
}

// KeyOf is the key that a pod was made for.
func KeyOf(p *corev1.Pod) string { return p.Annotations[annotationKey] }
