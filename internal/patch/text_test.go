package patch

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestText(t *testing.T) {
	live := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns, labels: {old: x}}\nspec: {template: {spec: {containers: [{name: app, image: 'app:1'}, {name: sidecar, image: m}]}}}")
	target := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\nspec: {template: {spec: {containers: [{name: app, image: 'app:2', args: [a, b]}]}}}")
	recorded := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns, labels: {old: x}}\nspec: {template: {spec: {containers: [{name: app, image: 'app:1'}]}}}")
	change := compute(t, Triple{recorded, live, target}, Options{})
	same(t, Text(change), `~ Deployment/ns/a
- /metadata/labels/old: "x"
+ /spec/template/spec/containers/app/args: ["a","b"]
- /spec/template/spec/containers/app/image: "app:1"
+ /spec/template/spec/containers/app/image: "app:2"
`, "only what changes, by path")
	same(t, change.Fields[2], FieldChange{Path: "/spec/template/spec/containers/app/image", Recorded: `"app:1"`, Live: `"app:1"`, Target: `"app:2"`}, "fields tell the same")
}

func TestTextOfLines(t *testing.T) {
	text := func(lines ...string) *unstructured.Unstructured {
		o := object(t, configHead)
		o.Object["data"] = map[string]any{"app.conf": strings.Join(lines, "\n")}
		return o
	}
	change := compute(t, Triple{Live: text("a", "b", "c", ""), Target: text("a", "x", "c", "")}, Options{})
	same(t, Text(change), "~ ConfigMap/ns/a\n  /data/app.conf:\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n", "a file is shown as a diff of lines")
	change = compute(t, Triple{Live: text("a", "b", ""), Target: text("a", "b")}, Options{})
	same(t, Text(change), "~ ConfigMap/ns/a\n  /data/app.conf:\n- \"b\\n\"\n+ \"b\"\n", "a missing line feed shows")
}

func TestTextOfWords(t *testing.T) {
	with := func(args ...any) *unstructured.Unstructured {
		o := object(t, deploymentHead+"spec: {template: {spec: {containers: [{name: app, image: 'app:1'}]}}}")
		at(o.Object, "spec", "template", "spec", "containers").([]any)[0].(map[string]any)["args"] = args
		return o
	}
	text := func(before, after *unstructured.Unstructured) string {
		return strings.TrimPrefix(Text(compute(t, Triple{Recorded: before, Live: before, Target: after}, Options{})), "~ Deployment/ns/a\n")
	}
	const args = "  /spec/template/spec/containers/app/args"
	long := []any{"--a=1", "--b=2", "--c=3", "--d=4", "--e=5", "--f=6", "--g=7", "--h=8"}
	changed := append(append([]any{}, long[:6]...), "--g=9", "--h=8", "--i=10")
	same(t, text(with(long...), with(changed...)), args+`:
@@ -4,5 +4,6 @@
 "--d=4"
 "--e=5"
 "--f=6"
-"--g=7"
+"--g=9"
 "--h=8"
+"--i=10"
`, "only what changes in a list of words is shown, with its surroundings")
	same(t, text(with("a"), with("b")), "- /spec/template/spec/containers/app/args: [\"a\"]\n+ /spec/template/spec/containers/app/args: [\"b\"]\n", "one word for another is one line for another")
	same(t, text(with("sh", "-c", "one\ntwo\n"), with("sh", "-c", "one\n2\n")), args+"/2:\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n", "a script is compared line by line")
	same(t, text(with("a", "b", "c"), with("c", "a", "b")), args+":\n@@ -1,3 +1,3 @@\n+\"c\"\n \"a\"\n \"b\"\n-\"c\"\n", "another order is told")
}

func TestTextOfWordsIsOneForOneChange(t *testing.T) {
	with := func(end string) Change {
		list := func(last string) *unstructured.Unstructured {
			return object(t, "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns}\nspec: {loadBalancerSourceRanges: [10.0.0.0/8, 10.1.0.0/16, "+last+"]}")
		}
		return compute(t, Triple{Live: list("x"), Target: list(strings.Repeat("y", 500) + end)}, Options{})
	}
	if one, same := with("1"), with("1"); one.Digest() == with("2").Digest() || one.Digest() != same.Digest() {
		t.Error("changes of words that are cut are not told apart")
	}
}

func TestTextOfANewName(t *testing.T) {
	config := func(name, value string) *unstructured.Unstructured {
		return object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: ns}\ndata: {level: "+value+"}")
	}
	change := compute(t, Triple{Target: config("a-222", "debug")}, Options{Previous: config("a-111", "info")})
	same(t, Text(change), "+ ConfigMap/ns/a-222\n  replaces ConfigMap/ns/a-111\n- /data/level: \"info\"\n+ /data/level: \"debug\"\n- /metadata/name: \"a-111\"\n+ /metadata/name: \"a-222\"\n",
		"what changes in the configuration is told, though its name is new")
}

func TestEqualChangesAreGrouped(t *testing.T) {
	in := func(version, uid, extra string) Triple {
		live := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns, resourceVersion: '"+version+"', uid: "+uid+", annotations: {deployment.kubernetes.io/revision: '"+version+"'}}\nspec: {replicas: "+extra+", template: {spec: {containers: [{name: app, image: 'app:1'}]}}}\nstatus: {replicas: 1}")
		return Triple{Live: live, Target: object(t, deploymentHead+"spec: {template: {spec: {containers: [{name: app, image: 'app:2'}]}}}")}
	}
	one, two := compute(t, in("7", "u1", "3"), Options{}), compute(t, in("99", "u2", "5"), Options{})
	same(t, one.Digest(), two.Digest(), "clusters differ in versions, UIDs, status and what is not rendered")
	other := in("7", "u1", "3")
	other.Target = object(t, deploymentHead+"spec: {template: {spec: {containers: [{name: app, image: 'app:3'}]}}}")
	if compute(t, other, Options{}).Digest() == one.Digest() {
		t.Error("another change has another digest")
	}
	long := func(end string) Change {
		return compute(t, Triple{Live: object(t, configHead+"data: {a: b}"), Target: object(t, configHead+"data: {a: "+strings.Repeat("x", 500)+end+"}")}, Options{})
	}
	if long("1").Digest() == long("2").Digest() {
		t.Error("values that are cut are told apart")
	}
}
