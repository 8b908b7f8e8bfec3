package patch

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
)

func TestUndoTakesBackWhatWeChangedAndNothingElse(t *testing.T) {
	const cm = "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: infra, name: c"
	const deploy = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: infra, name: d}\nspec:\n  selector: {matchLabels: {app: d}}\n"
	const service = "apiVersion: v1\nkind: Service\nmetadata: {namespace: infra, name: s}\nspec: "
	const custom = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {namespace: infra, name: x}\nspec: "
	for _, c := range []struct {
		reason               string
		found, written, live string
		want                 string // "" is unchanged
		rule                 api.Rule
	}{
		{
			reason: "a value goes back, a key of ours goes, a key that others added since stays",
			found:  cm + "}\ndata: {a: old, mine: kept}", written: cm + ", labels: {by: sluice}}\ndata: {a: new, b: ours}",
			live: cm + ", labels: {by: sluice, team: x}}\ndata: {a: new, b: ours, mine: kept, later: theirs}",
			want: cm + ", labels: {team: x}}\ndata: {a: old, mine: kept, later: theirs}",
		},
		{
			reason: "what we said was so already, and somebody has changed it since",
			found:  cm + "}\ndata: {a: same, b: old}", written: cm + "}\ndata: {a: same, b: new}",
			live: cm + "}\ndata: {a: theirs, b: new}", want: cm + "}\ndata: {a: theirs, b: old}",
		},
		{
			reason: "a write that was never made leaves nothing to take back",
			found:  cm + "}\ndata: {a: old}", written: cm + "}\ndata: {a: new}", live: cm + "}\ndata: {a: old}",
		},
		{
			reason:  "a container's image goes back beside a sidecar that came later; a container of ours goes",
			found:   deploy + "  template: {spec: {containers: [{name: d, image: 'd:1'}]}}",
			written: deploy + "  template: {spec: {containers: [{name: d, image: 'd:2', livenessProbe: {httpGet: {path: /, port: 1}}}, {name: more, image: 'm:1'}]}}",
			live: deploy + "  template: {spec: {containers: [{name: d, image: 'd:2', livenessProbe: {httpGet: {path: /, port: 1}, periodSeconds: 10}}, " +
				"{name: more, image: 'm:1', terminationMessagePath: /x}, {name: injected, image: 'i:1'}]}}",
			want: deploy + "  template: {spec: {containers: [{name: d, image: 'd:1'}, {name: injected, image: 'i:1'}]}}",
		},
		{
			reason:  "a volume's source goes back whole: two at once are refused",
			found:   deploy + "  template: {spec: {volumes: [{name: v, secret: {secretName: s}}]}}",
			written: deploy + "  template: {spec: {volumes: [{name: v, configMap: {name: c}}]}}",
			live:    deploy + "  template: {spec: {volumes: [{name: v, configMap: {name: c, defaultMode: 420}}]}}",
			want:    deploy + "  template: {spec: {volumes: [{name: v, secret: {secretName: s}}]}}",
		},
		{
			reason:  "a strategy goes back whole, with what its type needs",
			found:   deploy + "  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 3, maxUnavailable: 0}}",
			written: deploy + "  strategy: {type: Recreate}", live: deploy + "  strategy: {type: Recreate}",
			want: deploy + "  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 3, maxUnavailable: 0}}",
		},
		{
			reason:  "one port by two protocols cannot be merged by its key",
			found:   service + "{ports: [{name: a, port: 53, protocol: UDP}]}",
			written: service + "{ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53, protocol: TCP}]}",
			live:    service + "{ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53, protocol: TCP}], clusterIP: 10.0.0.1}",
			want:    service + "{ports: [{name: a, port: 53, protocol: UDP}], clusterIP: 10.0.0.1}",
		},
		{
			reason: "a custom resource goes back field by field",
			found:  custom + "{a: 1, list: [1]}", written: custom + "{a: 2, list: [1, 2], b: {c: 1}}",
			live: custom + "{a: 2, list: [1, 2], b: {c: 1, filled: in}, theirs: 3}", want: custom + "{a: 1, list: [1], theirs: 3}",
		},
		{
			reason: "what is immutable stays",
			found:  cm + "}\ndata: {a: old}", written: cm + "}\nimmutable: true\ndata: {a: new}", live: cm + "}\nimmutable: true\ndata: {a: new}",
			want: cm + "}\ndata: {a: old}", rule: api.RuleImmutableField,
		},
		{
			reason: "an address that clients hold on to stays",
			found:  service + "{clusterIP: 10.0.0.1}", written: service + "{clusterIP: None}", live: service + "{clusterIP: None}",
			want: service + "{clusterIP: 10.0.0.1}", rule: api.RuleClusterIP,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			live := object(t, c.live)
			got, err := Undo(object(t, c.found), live, []*unstructured.Unstructured{object(t, c.written)}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if (c.rule != "") != (len(got.Refusals) > 0) || c.rule != "" && got.Refusals[0].Rule != c.rule {
				t.Errorf("the refusals are %+v", got.Refusals)
			}
			if c.want == "" {
				same(t, got.Action, Unchanged, c.reason)
				return
			}
			s := shapeOf(live)
			want, err := s.canonical(object(t, c.want), nil)
			if err != nil {
				t.Fatal(err)
			}
			after, err := s.apply(merged{patch: got.Patch, kind: got.PatchType}, live.Object)
			if err != nil {
				t.Fatal(err)
			}
			have, err := s.canonical(&unstructured.Unstructured{Object: after}, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, have, want, "what the patch leaves")
		})
	}
}

func TestUndoTakesBackSeveralWrites(t *testing.T) {
	const cm = "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: infra, name: c}\n"
	live := object(t, cm+"data: {a: second, b: first}")
	got, err := Undo(object(t, cm+"data: {a: old}"), live, []*unstructured.Unstructured{
		object(t, cm+"data: {a: first, b: first}"), object(t, cm+"data: {a: second}"),
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(got.Patch), `{"data":{"a":"old","b":null}}`, "what a run that was given up left goes as well")
}

func TestAFieldThatIsIgnoredIsNotUndone(t *testing.T) {
	const d = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: infra, name: d}\nspec: "
	got, err := Undo(object(t, d+"{replicas: 1, minReadySeconds: 1}"), object(t, d+"{replicas: 7, minReadySeconds: 5}"), []*unstructured.Unstructured{
		object(t, d+"{replicas: 3, minReadySeconds: 5}"),
	}, Options{Leave: []string{"/spec/replicas"}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(got.Patch), `{"spec":{"minReadySeconds":1}}`, "an autoscaler's number")
}
