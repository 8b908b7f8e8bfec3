package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Fields are what a program may be told of its pod. What is not known before the pod is there, and nothing of others.
func Fields() []string {
	return []string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.podIP",
	}
}

// Mount is a Secret or a ConfigMap of the pod's namespace as files, to be read. There is no other kind: nothing of the node's.
type Mount struct {
	Secret    string // exactly one of Secret and ConfigMap
	ConfigMap string
	At        string // the folder in which its keys are files
}

const maxMounts = 10

func validMounts(all []Mount) error {
	if len(all) > maxMounts {
		return fmt.Errorf("it has %d mounts, at most %d are allowed", len(all), maxMounts)
	}
	seen := map[string]bool{}
	for _, m := range all {
		switch {
		case (m.Secret == "") == (m.ConfigMap == ""):
			return fmt.Errorf("at %s it has one of a Secret and a ConfigMap", m.At)
		case !path.IsAbs(m.At) || path.Clean(m.At) != m.At || m.At == "/" || strings.Contains(m.At, ":"):
			return fmt.Errorf("%q is no absolute path of a folder", m.At)
		case seen[m.At]:
			return fmt.Errorf("two are mounted at %s", m.At)
		}
		seen[m.At] = true
	}
	return nil
}

func addMounts(pod *corev1.Pod, all []Mount) {
	for i, m := range all {
		volume := corev1.Volume{Name: fmt.Sprintf("mount-%d", i)}
		if m.Secret != "" {
			volume.Secret = &corev1.SecretVolumeSource{SecretName: m.Secret}
		} else {
			volume.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: m.ConfigMap}}
		}
		pod.Spec.Volumes = append(pod.Spec.Volumes, volume)
		c := &pod.Spec.Containers[0]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: m.At, ReadOnly: true})
	}
}
