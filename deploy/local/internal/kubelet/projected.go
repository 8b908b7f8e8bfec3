package kubelet

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/projected"
)

// ownProjected are the projected volumes, tokens of accounts among them, without an owner of their files: to give a file to the user
// that a pod names takes root, and the pod's processes run as whoever started the stack all the same.
func ownProjected() []volume.VolumePlugin {
	var plugins []volume.VolumePlugin
	for _, p := range projected.ProbeVolumePlugins() {
		plugins = append(plugins, ownerless{p})
	}
	return plugins
}

type ownerless struct{ volume.VolumePlugin }

// NewMounter returns one that changes no owner.
func (o ownerless) NewMounter(spec *volume.Spec, pod *corev1.Pod) (volume.Mounter, error) {
	m, err := o.VolumePlugin.NewMounter(spec, pod)
	if err != nil {
		return nil, err
	}
	return ownerlessMounter{m}, nil
}

type ownerlessMounter struct{ volume.Mounter }

// SetUp writes the volume's files.
func (m ownerlessMounter) SetUp(args volume.MounterArgs) error {
	args.FsUser, args.FsGroup = nil, nil
	return m.Mounter.SetUp(args)
}

// SetUpAt writes the volume's files into a folder.
func (m ownerlessMounter) SetUpAt(dir string, args volume.MounterArgs) error {
	args.FsUser, args.FsGroup = nil, nil
	return m.Mounter.SetUpAt(dir, args)
}
