package pod

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Where a script is found in its pod.
const (
	scriptVolume = "sluice-script"
	scriptDir    = "/sluice"
	scriptFile   = "script"
)

// addScript has a pod run a text. It travels in the pod itself, which no second object has to be made and taken away for, and
// is a file there, so that its first line may name any interpreter.
func addScript(pod *corev1.Pod, text string) {
	if !strings.HasPrefix(text, "#!") {
		text = "#!/bin/sh\nset -e\n" + text
	}
	pod.Annotations[annotationScript] = text
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
		Name: scriptVolume,
		VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{
				Path:     scriptFile,
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + annotationScript + "']"},
				Mode:     new(int32(0o555)),
			}},
		}},
	})
	c := &pod.Spec.Containers[0]
	c.Command = []string{scriptDir + "/" + scriptFile}
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: scriptVolume, MountPath: scriptDir, ReadOnly: true})
}
