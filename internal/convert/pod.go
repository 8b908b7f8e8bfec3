package convert

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines"
)

// podOf takes the pod of a check: a bare spec, or a template.
func (k *check) podOf(f field) {
	if !k.templated || hasKey(f.value, "containers") {
		k.podSpec(f.value)
		return
	}
	for t := range k.fields(f.value, f.name) {
		switch t.name {
		case "spec":
			k.podSpec(t.value)
		case "metadata":
			k.remark(t.key, "metadata of its pod: what is on pods of probes is Sluice's own")
		default:
			k.remark(t.key, "%s has no counterpart", t.name)
		}
	}
	if k.spec.Image == "" && k.whole {
		k.refuse(f.key, "%s has no spec with an image", f.name)
	}
}

// podSpec takes a spec of a pod: it goes into a profile, or it does not.
func (k *check) podSpec(spec *yaml.Node) {
	for f := range k.fields(spec, "the pod of "+k.kind+" "+k.name) {
		switch f.name {
		case "containers":
			k.containers(f)
		case "restartPolicy":
			if f.value.Value != "Never" {
				k.remark(f.key, "restartPolicy: a program of a probe is not started again")
			}
		case "nodeSelector":
			if err := f.value.Decode(&k.spec.NodeSelector); err != nil {
				k.refuse(f.value, "nodeSelector is no mapping of texts")
			}
		case "hostNetwork":
			if f.value.Value == "true" {
				k.spec.Profile = "host-network"
			}
		case "tolerations":
			k.tolerations(f)
		case "securityContext":
			k.security(f, true)
		case "serviceAccountName", "serviceAccount":
			k.touches(f.key, f.value.Value)
		case "volumes":
			k.volumesOf(f)
		case "initContainers", "ephemeralContainers", "runtimeClassName", "resourceClaims":
			k.refuse(f.key, "%s: no profile gives it", f.name)
		case "hostPID", "hostIPC", "shareProcessNamespace":
			if f.value.Value == "true" {
				k.refuse(f.key, "%s: no profile gives it", f.name)
			}
		case "enableServiceLinks", "terminationGracePeriodSeconds", "automountServiceAccountToken", "dnsPolicy", "schedulerName":
			// the profile's own
		default:
			k.remark(f.key, "%s has no counterpart", f.name)
		}
	}
	if k.spec.Image == "" && k.whole {
		k.refuse(spec, "it has no container with an image")
	}
}

// hasKey reports whether a mapping has a key.
func hasKey(mapping *yaml.Node, key string) bool {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return true
		}
	}
	return false
}

// tolerations go into the profile node where they tolerate everything.
func (k *check) tolerations(f field) {
	for t := range k.items(f) {
		var one map[string]any
		if err := t.Decode(&one); err != nil {
			k.refuse(t, "tolerations: an item is no mapping")
			continue
		}
		if one["operator"] != "Exists" || one["key"] != nil {
			k.remark(t, "tolerations: the profile node tolerates every taint, the profile restricted none")
			continue
		}
		if k.spec.Profile == "" {
			k.spec.Profile = "node"
		}
	}
}

func (k *check) containers(f field) {
	n := 0
	for container := range k.items(f) {
		if n++; n > 1 {
			k.refuse(container, "several containers: a probe is one program")
			return
		}
		for c := range k.fields(container, "the container of "+k.kind+" "+k.name) {
			k.container(c)
		}
	}
}

func (k *check) container(f field) {
	switch f.name {
	case "name", "imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy": // the profile's own
	case "image":
		k.spec.Image, _ = k.text(f)
	case "command":
		k.spec.Command = k.arguments(f)
	case "args":
		k.spec.Args = k.arguments(f)
	case "env":
		k.environment(f)
	case "resources":
		k.resources(f)
	case "securityContext":
		k.security(f, false)
	case "volumeMounts":
		k.mountsOf(f)
	case "envFrom", "volumeDevices", "lifecycle":
		k.refuse(f.key, "%s: no profile gives it", f.name)
	default:
		k.remark(f.key, "%s has no counterpart", f.name)
	}
}

// expanded is a variable in an argument, which a kubelet puts there.
var expanded = regexp.MustCompile(`\$\([A-Za-z_][A-Za-z0-9_.-]*\)`)

func (k *check) arguments(f field) (all []string) {
	for item := range k.items(f) {
		if item.Kind != yaml.ScalarNode {
			k.refuse(item, "%s: an item is no text", f.name)
			continue
		}
		if found := expanded.FindString(item.Value); found != "" {
			k.refuse(item, "%s: %s stands for a variable, and here for a param: have the program read the variable", f.name, found)
		}
		all = append(all, item.Value)
	}
	return all
}

func (k *check) environment(f field) {
	for item := range k.items(f) {
		var v Variable
		for e := range k.fields(item, "env") {
			switch e.name {
			case "name":
				v.Name = e.value.Value
			case "value":
				v.Value = e.value.Value
			case "valueFrom":
				v.Field = k.fieldOf(e)
			default:
				k.refuse(e.key, "env: %s has no counterpart", e.name)
			}
		}
		switch {
		case strings.HasPrefix(v.Name, "KH_") || strings.HasPrefix(v.Name, "SLUICE_"):
			k.remark(item, "env: %s is given to every probe, and not by it", v.Name)
		case expanded.MatchString(v.Value):
			k.refuse(item, "env: %s has another variable in its value: write that out", v.Name)
		default:
			if v.Value != "" && v.Value == k.namespace {
				k.remark(item, "env: %s is %s, where the check was: a case is where its component is, as field: metadata.namespace says",
					v.Name, v.Value)
			}
			k.spec.Env = append(k.spec.Env, v)
		}
	}
}

// fieldOf is the field of its pod that a variable is taken from. From anything else it is not: fieldRef alone has no secret in it.
func (k *check) fieldOf(f field) (name string) {
	for from := range k.fields(f.value, "valueFrom") {
		if from.name != "fieldRef" {
			k.refuse(f.key, "env: a variable is read from %s: give it a value", from.name)
			continue
		}
		for r := range k.fields(from.value, "fieldRef") {
			if r.name == "fieldPath" {
				name = r.value.Value
			}
		}
		if !slices.Contains(pipelines.PodFields(), name) {
			k.refuse(from.key, "env: no program is told %s of its pod, only %s", name, strings.Join(pipelines.PodFields(), ", "))
		}
	}
	return name
}

// resources keeps limits. What a pod of a probe is sure of is the profile's.
func (k *check) resources(f field) {
	for r := range k.fields(f.value, "resources") {
		if r.name == "requests" {
			continue
		}
		if r.name != "limits" {
			k.remark(r.key, "%s has no counterpart", r.name)
			continue
		}
		limits := Limits{}
		for l := range k.fields(r.value, "limits") {
			text, _ := k.text(l)
			switch l.name {
			case "cpu":
				limits.CPU = text
			case "memory":
				limits.Memory = text
			case "ephemeral-storage":
				limits.Storage = text
			default:
				k.refuse(l.key, "limits: %s has no counterpart", l.name)
			}
		}
		if limits != (Limits{}) {
			k.spec.Limits = &limits
		}
	}
}

// security holds a security context against what every profile says.
func (k *check) security(f field, ofPod bool) {
	for s := range k.fields(f.value, f.name) {
		switch s.name {
		case "privileged", "allowPrivilegeEscalation":
			if s.value.Value == "true" && !ofPod {
				k.refuse(s.key, "%s: no profile gives it", s.name)
			}
		case "runAsUser", "runAsGroup":
			if s.value.Value == "0" {
				k.refuse(s.key, "%s: 0 is root, and no probe runs as root", s.name)
				continue
			}
			k.remark(s.key, "%s: every probe runs as 65532", s.name)
		case "runAsNonRoot":
			if s.value.Value == "false" {
				k.remark(s.key, "runAsNonRoot: no probe runs as root")
			}
		case "capabilities":
			k.capabilities(s)
		case "seccompProfile", "fsGroup", "readOnlyRootFilesystem", "fsGroupChangePolicy": // the profile's own
		default:
			k.refuse(s.key, "securityContext: %s: no profile gives it", s.name)
		}
	}
}

func (k *check) capabilities(f field) {
	for s := range k.fields(f.value, f.name) {
		if s.name != "add" {
			continue // all are dropped
		}
		var added []string
		for item := range k.items(s) {
			if name := strings.TrimPrefix(item.Value, "CAP_"); slices.Contains([]string{"ALL", "SYS_ADMIN", "SYS_MODULE"}, name) {
				k.refuse(item, "capability %s is as good as privileged: no exception gives it", name)
			} else {
				added = append(added, name)
			}
		}
		if len(added) > 0 {
			k.spec.Exceptions = append(k.spec.Exceptions, Exception{"as-converted", "the " + k.kind + " it comes from has it", added})
		}
	}
}
