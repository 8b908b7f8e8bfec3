// Package simulation plays the pods of a cluster that has no machines: what
// happens to a pod after it was given a node, and what its containers log. A
// pod behaves unless its image's tag says otherwise. The package writes to no
// cluster: KWOK plays the stages.
package simulation

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

// fails is a crash of a pod whose containers are never restarted.
const fails = "fails"

// situationTemplate is a jq program that yields the state of a pod's first
// container and what its image makes it do, as in "unready crash". A container
// whose image is not the one in the pod's spec is new: it was changed in place.
// It says the same as Behaviour.
const situationTemplate = `
(.spec.containers[0].image | split("@")[0] | split("/")[-1] | split(":")[1] // "") as $tag
| ([WORDS] | map(select(. as $word | $tag | endswith("-" + $word))) | .[0] // "normal") as $named
| (if $named == "crash" and .spec.restartPolicy == "Never" then "fails" else $named end) as $behaviour
| (.status.containerStatuses[0] // {}) as $first
| if .metadata.deletionTimestamp then "deleted"
  elif .status.phase == "Succeeded" or .status.phase == "Failed" then "over"
  elif $first.image != .spec.containers[0].image then "new"
  elif $first.state.waiting then $first.state.waiting.reason
  elif $first.state.running and $first.ready then "ready"
  else "unready"
  end
| . + " " + $behaviour`

func situation() string {
	words := make([]string, len(misbehaviours))
	for i, word := range misbehaviours {
		words[i] = strconv.Quote(word)
	}
	return strings.Replace(situationTemplate, "WORDS", strings.Join(words, ", "), 1)
}

// Stages is the life of a simulated pod as KWOK plays it. No two stages match
// the same pod.
func Stages() []v1alpha1.Stage {
	running := phase("Running") + addresses
	return []v1alpha1.Stage{
		podStage("pod-start-ready", delay(300, 900),
			running+conditions(true)+initContainers+containers(runs(true)),
			"new "+Normal, "new "+CrashAfterReady, "new "+PanicLogs),
		podStage("pod-start-unready", delay(300, 900),
			running+conditions(false)+initContainers+containers(runs(false)),
			"new "+NeverReady, "new "+ReadyLate, "new "+Crash, "new "+fails),
		podStage("pod-ready-late", delay(20_000, 21_000),
			phase("Running")+conditions(true)+containers(runs(true)),
			"unready "+ReadyLate),
		podStage("pod-crash", delay(400, 800),
			phase("Running")+conditions(false)+containers(crashes),
			"unready "+Crash),
		podStage("pod-crash-after-ready", delay(4_000, 4_500),
			phase("Running")+conditions(false)+containers(crashes),
			"ready "+CrashAfterReady),
		podStage("pod-crash-again", crashDelay(),
			phase("Running")+conditions(false)+containers(crashes),
			"CrashLoopBackOff "+Crash, "CrashLoopBackOff "+CrashAfterReady),
		podStage("pod-fail", delay(400, 800),
			phase("Failed")+conditions(false)+containers(ends(1, "Error")),
			"unready "+fails),
		podStage("pod-pull-error", delay(300, 900),
			phase("Pending")+addresses+conditions(false)+containers(waits("ErrImagePull", "failed to pull and unpack image: not found")),
			"new "+PullError),
		podStage("pod-pull-backoff", delay(1_500, 2_500),
			phase("Pending")+conditions(false)+containers(waits("ImagePullBackOff", "Back-off pulling image")),
			"ErrImagePull "+PullError),
		ownedBy("Job", podStage("pod-complete", delay(1_000, 1_500),
			phase("Succeeded")+conditions(false)+containers(ends(0, "Completed")),
			"ready "+Normal, "ready "+PanicLogs)),
		deletion(),
	}
}

func podStage(name string, delay *v1alpha1.StageDelay, status string, situations ...string) v1alpha1.Stage {
	return v1alpha1.Stage{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.StageSpec{
			ResourceRef: v1alpha1.StageResourceRef{APIGroup: "v1", Kind: "Pod"},
			Selector: &v1alpha1.StageSelector{MatchExpressions: []v1alpha1.MatchExpression{
				isIn(situation(), situations...),
			}},
			Delay: delay,
			Next:  &v1alpha1.StageNext{StatusTemplate: "{{ $now := Now }}{{ $root := . }}\n" + status},
		},
	}
}

func ownedBy(kind string, stage v1alpha1.Stage) v1alpha1.Stage {
	stage.Spec.Selector.MatchExpressions = append(stage.Spec.Selector.MatchExpressions,
		isIn(".metadata.ownerReferences.[].kind", kind))
	return stage
}

func deletion() v1alpha1.Stage {
	stage := podStage("pod-delete", nil, "")
	stage.Spec.Selector.MatchExpressions = []v1alpha1.MatchExpression{{JQ: &v1alpha1.SelectorJQ{
		Key: ".metadata.deletionTimestamp", Operator: v1alpha1.SelectorOpExists,
	}}}
	stage.Spec.Next = &v1alpha1.StageNext{Delete: true}
	return stage
}

func isIn(key string, values ...string) v1alpha1.MatchExpression {
	return v1alpha1.MatchExpression{JQ: &v1alpha1.SelectorJQ{Key: key, Operator: v1alpha1.SelectorOpIn, Values: values}}
}

func delay(from, to int64) *v1alpha1.StageDelay {
	return &v1alpha1.StageDelay{DurationMilliseconds: &from, JitterDurationMilliseconds: &to}
}

// crashDelay is the kubelet's growing pause between restarts, scaled down: 2,
// 4, 8, 16, then 20 seconds.
func crashDelay() *v1alpha1.StageDelay {
	d := delay(5_000, 5_000)
	d.JitterDurationMilliseconds = nil
	d.DurationFrom = &v1alpha1.ExpressionFrom{JQ: &v1alpha1.ExpressionJQ{
		Expression: `[pow(2; .status.containerStatuses[0].restartCount), 20] | min | "\(.)s"`,
	}}
	return d
}
