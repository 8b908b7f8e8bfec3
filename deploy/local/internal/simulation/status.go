package simulation

import (
	"strconv"
	"strings"
)

// This file holds pieces of the template of a pod's status, which is YAML.

func phase(name string) string {
	return "phase: " + name + "\nobservedGeneration: {{ or .metadata.generation 1 }}\n"
}

// addresses are given once: a pod that changes in place keeps its own.
const addresses = `startTime: {{ or .status.startTime $now | Quote }}
{{ if not .status.podIP }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
hostIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ with PodIPsWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "") }}
podIP: {{ index . 0 | Quote }}
podIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ end }}
`

func conditions(ready bool) string {
	status, reason, message := "True", `""`, `""`
	if !ready {
		status, reason = "False", "ContainersNotReady"
		message = `{{ printf "containers with unready status: [%s]" (index .spec.containers 0).name | Quote }}`
	}
	// A condition that only gets a new reason keeps the time of its change.
	const one = `{{ $since := $now }}
{{ range $root.status.conditions }}{{ if and (eq .type "TYPE") (eq .status "STATUS") }}{{ $since = .lastTransitionTime }}{{ end }}{{ end }}
- type: TYPE
  status: "STATUS"
  reason: REASON
  message: MESSAGE
  lastTransitionTime: {{ $since | Quote }}
`
	fill := func(kind string) string {
		return strings.NewReplacer("TYPE", kind, "STATUS", status, "REASON", reason, "MESSAGE", message).Replace(one)
	}
	return `conditions:
{{ range $kind := list "PodReadyToStartContainers" "Initialized" }}
{{ $known := false }}
{{ range $root.status.conditions }}{{ if and (eq .type $kind) (eq .status "True") }}{{ $known = true }}{{ end }}{{ end }}
{{ if not $known }}
- type: {{ $kind }}
  status: "True"
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
{{ end }}
` + fill("Ready") + fill("ContainersReady") + `{{ range .spec.readinessGates }}
- type: {{ .conditionType | Quote }}
  status: "True"
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
`
}

const initContainers = `initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: sha256:{{ .image | sha256sum }}
  ready: true
  restartCount: 0
  {{ if eq (or .restartPolicy "") "Always" }}
  started: true
  state:
    running:
      startedAt: {{ $now | Quote }}
  {{ else }}
  started: false
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
  {{ end }}
{{ end }}
`

// containers is the status of all containers, the first as given and the
// others running. It has $restarts, the first container's restarts so far, and
// $fresh, which is true when its image is not the one that ran before.
func containers(first string) string {
	return `containerStatuses:
{{ $restarts := 0 }}
{{ $fresh := true }}
{{ with .status.containerStatuses }}
{{ $restarts = (index . 0).restartCount }}
{{ $fresh = ne (index . 0).image (index $root.spec.containers 0).image }}
{{ end }}
{{ range $i, $c := .spec.containers }}
- name: {{ $c.name | Quote }}
  image: {{ $c.image | Quote }}
  imageID: sha256:{{ $c.image | sha256sum }}
  {{ if eq $i 0 }}
` + first + `
  {{ else }}
  containerID: kwok://{{ printf "%s/%s" $root.metadata.uid $c.name | sha256sum }}
  ready: true
  started: true
  restartCount: 0
  state:
    running:
      startedAt: {{ or $root.status.startTime $now | Quote }}
  {{ end }}
{{ end }}
`
}

const containerID = `  containerID: kwok://{{ printf "%s/%s/%v" $root.metadata.uid $c.name $restarts | sha256sum }}
`

func runs(ready bool) string {
	text := "false"
	if ready {
		text = "true"
	}
	return `  {{ if and $root.status.containerStatuses $fresh }}{{ $restarts = add1 $restarts }}{{ end }}
` + containerID + `  ready: ` + text + `
  started: true
  restartCount: {{ $restarts }}
  state:
    running:
      startedAt: {{ $now | Quote }}
`
}

const crashes = containerID + `  ready: false
  started: false
  restartCount: {{ add1 $restarts }}
  state:
    waiting:
      reason: CrashLoopBackOff
      message: back-off restarting failed container
  lastState:
    terminated:
      exitCode: 1
      reason: Error
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
`

func ends(code int, reason string) string {
	return containerID + `  ready: false
  started: false
  restartCount: {{ $restarts }}
  state:
    terminated:
      exitCode: ` + strconv.Itoa(code) + `
      reason: ` + reason + `
      startedAt: {{ or $root.status.startTime $now | Quote }}
      finishedAt: {{ $now | Quote }}
`
}

func waits(reason, message string) string {
	return `  ready: false
  started: false
  restartCount: {{ $restarts }}
  state:
    waiting:
      reason: ` + reason + `
      message: ` + strconv.Quote(message) + `
`
}
