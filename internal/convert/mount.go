package convert

import (
	"path"

	"go.yaml.in/yaml/v4"
)

// Mount is a Secret or a ConfigMap that a Probe reads.
type Mount struct {
	Secret    string `yaml:"secret,omitempty"`
	ConfigMap string `yaml:"configMap,omitempty"`
	At        string `yaml:"at"`
}

// volumesOf takes those that are whole Secrets and ConfigMaps. The mounts that name them may stand before or after them.
func (k *check) volumesOf(f field) {
	for item := range k.items(f) {
		name, mount := "", Mount{}
		for v := range k.fields(item, "volumes") {
			switch v.name {
			case "name":
				name = v.value.Value
			case "secret":
				mount.Secret = k.sourceName(v, "secretName")
			case "configMap":
				mount.ConfigMap = k.sourceName(v, "name")
			default:
				k.refuse(v.key, "volumes (%s): only a whole Secret or ConfigMap is mounted", v.name)
			}
		}
		if k.volumes == nil {
			k.volumes = map[string]Mount{}
		}
		k.volumes[name] = mount
	}
}

// sourceName is the name in a volume's source, which has to be all that the volume says: keys of it, or a place for each of them, are
// not carried over.
func (k *check) sourceName(f field, key string) (name string) {
	for s := range k.fields(f.value, f.name) {
		switch s.name {
		case key:
			name, _ = k.text(s)
		case "defaultMode":
			k.remark(s.key, "volumes: defaultMode: files can be read by everybody in the pod")
		default:
			k.refuse(s.key, "volumes (%s): %s: it is mounted whole, or not at all", f.name, s.name)
		}
	}
	if name == "" {
		k.refuse(f.key, "volumes (%s): it has no %s", f.name, key)
	}
	return name
}

// placed is where a volume is mounted.
type placed struct {
	volume, at string
	node       *yaml.Node
}

func (k *check) mountsOf(f field) {
	for item := range k.items(f) {
		p := placed{node: item}
		for m := range k.fields(item, "volumeMounts") {
			switch m.name {
			case "name":
				p.volume = m.value.Value
			case "mountPath":
				p.at = path.Clean(m.value.Value)
			case "readOnly": // it is
			default:
				k.refuse(m.key, "volumeMounts: %s: a volume is mounted whole, to be read", m.name)
			}
		}
		k.placed = append(k.placed, p)
	}
}

// mount puts volumes in their places.
func (k *check) mount() {
	for _, p := range k.placed {
		m, known := k.volumes[p.volume]
		if !known {
			k.refuse(p.node, "volumeMounts: there is no volume %q", p.volume)
			continue
		}
		m.At = p.at
		k.spec.Mounts = append(k.spec.Mounts, m)
	}
}
