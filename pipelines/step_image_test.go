package pipelines_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A step as Tekton's people write it is the job that says the same, whatever shares its values by alias.
func TestAStepWithAnImageIsAJob(t *testing.T) {
	docs := mustParse(t, `kind: Task
metadata: {name: tekton}
spec:
  steps:
  - name: look
    image: tools:1
    workingDir: /tmp
    env: [{name: URL, value: "http://a"}]
    computeResources: {limits: &little {memory: 1Gi, ephemeral-storage: 64Mi}}
    script: |
      #!/bin/sh
      look
    results: [{name: share, type: double}]
    timeout: 5m
  - {name: tell, image: tools:1, command: [tell], args: [it], computeResources: {limits: *little}}
`, `kind: Task
metadata: {name: sluice}
spec:
  steps:
  - name: look
    timeout: 5m
    job:
      image: tools:1
      workingDir: /tmp
      env: [{name: URL, value: "http://a"}]
      limits: {memory: 1Gi, storage: 64Mi}
      script: |
        #!/bin/sh
        look
      results: [{name: share, type: double}]
  - {name: tell, job: {image: tools:1, command: [tell], args: [it], limits: {memory: 1Gi, storage: 64Mi}}}
`)
	got, want := docs.Tasks["tekton"].Spec.Steps, docs.Tasks["sluice"].Spec.Steps
	if len(got) != 2 || got[0].Job == nil {
		t.Fatalf("the steps are %+v", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a step with an image differs from its job (-job +image):\n%s", diff)
	}
	if got[0].Job.Limits.Storage != "64Mi" || got[0].Job.Script != "#!/bin/sh\nlook\n" || *got[0].Timeout != *want[0].Timeout {
		t.Errorf("the step is %+v", got[0].Job)
	}
	if kind := got[1].Kind(); kind != "job" {
		t.Errorf("its kind is %q", kind)
	}
}
