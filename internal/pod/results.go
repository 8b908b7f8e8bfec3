package pod

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Where a script leaves its results, and what collects them there.
const (
	resultsVolume = "sluice-results"
	collectFile   = "collect"
	// resultsMark is the line of a termination message after which results come: a line of name and size for each, then as many bytes,
	// then the end of the line.
	resultsMark = "sluice results"
)

// ResultsDir is the folder in which the pod of a key finds a file for each result. It is the pod's own name, since on nodes that run
// processes in place of containers all share one /tmp.
func ResultsDir(purpose, key string) string { return "/tmp/" + Name(purpose, key) }

var resultName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// addResults has a pod hand out what its script leaves in files. It comes in the termination message, as all that a pod says: whoever
// wants it needs no second look, and nothing but the pod's status. The script runs below a shell that waits for it and ends as it did.
func addResults(pod *corev1.Pod, dir string, names []string) {
	pod.Annotations[annotationCollect] = fmt.Sprintf(collect, dir, strings.Join(names, " "), resultsMark)
	files := pod.Spec.Volumes[0].DownwardAPI
	files.Items = append(files.Items, corev1.DownwardAPIVolumeFile{
		Path:     collectFile,
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + annotationCollect + "']"},
		Mode:     new(int32(0o555)),
	})
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
		Name: resultsVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
	})
	c := &pod.Spec.Containers[0]
	c.Command = []string{scriptDir + "/" + collectFile}
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: resultsVolume, MountPath: dir})
}

// collect runs the script beside it. It passes on the signal that ends a pod, and a message that the script has written stays. A file
// that cannot fit is named with its size alone. Where the script failed nobody reads results, and its log is worth more.
const collect = `#!/bin/sh
dir=%s
mkdir -p "$dir"
"${0%%/*}/script" "$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
if [ "$status" -eq 0 ]; then
  {
    first=yes
    for name in %s; do
      [ -f "$dir/$name" ] || continue
      [ -z "$first" ] || printf '\n%s\n'
      first=
      size=$(wc -c < "$dir/$name")
      printf '%%s %%d\n' "$name" "$size"
      [ "$size" -gt 4096 ] || cat "$dir/$name"
      printf '\n'
    done
  } >> "${TERMINATION_LOG:-/dev/termination-log}"
fi
rm -rf "$dir" 2>/dev/null
exit "$status"
`

// Results takes the results out of what a pod said, and returns them beside the rest.
func Results(said string) (rest string, files map[string]string, err error) {
	rest, framed, ok := strings.Cut(said, "\n"+resultsMark+"\n")
	if !ok {
		return said, nil, nil
	}
	files = map[string]string{}
	for framed != "" {
		head, after, _ := strings.Cut(framed, "\n")
		name, length, _ := strings.Cut(head, " ")
		size, err := strconv.Atoi(length)
		switch {
		case err != nil || size < 0:
			return rest, nil, fmt.Errorf("the results cannot be read at %q", head)
		case size+1 > len(after):
			return rest, nil, fmt.Errorf("the result %s has %d bytes, and all that a pod says has room for 4096", name, size)
		}
		files[name], framed = after[:size], after[size+1:]
	}
	return rest, files, nil
}

// validResults checks names of results, which stand in a program.
func validResults(names []string, script string) error {
	switch {
	case len(names) > 0 && script == "":
		return fmt.Errorf("it has no script that could leave results")
	case slices.ContainsFunc(names, func(n string) bool { return !resultName.MatchString(n) }):
		return fmt.Errorf("a result's name is none of a file: %q", names)
	}
	return nil
}
