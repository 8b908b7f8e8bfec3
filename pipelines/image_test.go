package pipelines_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

var digest = "sha256:" + strings.Repeat("0123456789abcdef", 4)

func TestParseImage(t *testing.T) {
	for text, want := range map[string]pipelines.ImageReference{
		"nginx":                              {Repository: "nginx"},
		"nginx:1.27":                         {Repository: "nginx", Tag: "1.27"},
		"library/nginx:1.27":                 {Repository: "library/nginx", Tag: "1.27"},
		"quay.io/jetstack/controller:v1.2":   {Registry: "quay.io", Repository: "jetstack/controller", Tag: "v1.2"},
		"localhost/agent:1":                  {Registry: "localhost", Repository: "agent", Tag: "1"},
		"registry:5000/agent":                {Registry: "registry:5000", Repository: "agent"},
		"registry.local:5000/a/b__c:1":       {Registry: "registry.local:5000", Repository: "a/b__c", Tag: "1"},
		"agent@" + digest:                    {Repository: "agent", Digest: digest},
		"registry:5000/a:1.2_3-x@" + digest:  {Registry: "registry:5000", Repository: "a", Tag: "1.2_3-x", Digest: digest},
		"registry.k8s.io/pause@" + digest:    {Registry: "registry.k8s.io", Repository: "pause", Digest: digest},
		"gcr.io/distroless/static:nonroot":   {Registry: "gcr.io", Repository: "distroless/static", Tag: "nonroot"},
		"ghcr.io/owner/name:sha-0123abc":     {Registry: "ghcr.io", Repository: "owner/name", Tag: "sha-0123abc"},
		"public.ecr.aws/a1b2/metrics:v0.7.2": {Registry: "public.ecr.aws", Repository: "a1b2/metrics", Tag: "v0.7.2"},
	} {
		got, err := pipelines.ParseImage(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", ":1", "Agent:1", "agent:", "agent:-x", "a//b:1", "agent@sha256:12", "agent@", "quay.io/", "a b"} {
		if got, err := pipelines.ParseImage(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

// joined is what a chart makes of the parts that it is given, with the defaults that it has for those that it is not.
func joined(values []pipelines.ImageValue) string {
	parts := map[string]string{"registry": "-", "repository": "chart/default", "tag": "v0", "digest": "sha256:chart"}
	for _, v := range values {
		parts[strings.Join(v.Path, ".")] = v.Text
	}
	if whole, isWhole := parts["reference"]; isWhole {
		return whole
	}
	text := parts["repository"]
	if parts["registry"] != "-" {
		text = parts["registry"] + "/" + text
	}
	if parts["tag"] != "" {
		text += ":" + parts["tag"]
	}
	if parts["digest"] != "" && parts["digest"] != "sha256:chart" {
		text += "@" + parts["digest"]
	}
	return text
}

func TestImageValues(t *testing.T) {
	two := pipelines.ImageValues{Repository: "repository", Tag: "tag"}
	apart := pipelines.ImageValues{Registry: "registry", Repository: "repository", Tag: "tag"}
	three := pipelines.ImageValues{Repository: "repository", Tag: "tag", Digest: "digest"}
	for name, c := range map[string]struct {
		values    pipelines.ImageValues
		reference string
		want      string // "" is the reference itself
	}{
		"repository and tag":                        {values: two, reference: "quay.io/jetstack/controller:v1.2"},
		"a registry with a port":                    {values: two, reference: "registry:5000/agent:1.2"},
		"a registry with a port and no tag":         {values: two, reference: "registry:5000/agent", want: "registry:5000/agent:latest"},
		"a digest without a key":                    {values: two, reference: "registry:5000/agent@" + digest},
		"tag and digest, which has no key":          {values: two, reference: "agent:1.2@" + digest},
		"tag and digest":                            {values: three, reference: "agent:1.2@" + digest},
		"a digest alone, the tag's default is gone": {values: three, reference: "agent@" + digest},
		"a tag alone, the digest's default is gone": {values: three, reference: "agent:1.2"},
		"the registry apart":                        {values: apart, reference: "quay.io/jetstack/controller:v1.2"},
		"the registry apart, with a port":           {values: apart, reference: "registry.local:5000/agent:1"},
		"the registry apart, and none is named":     {values: apart, reference: "library/nginx:1.27", want: "docker.io/library/nginx:1.27"},
		"the registry apart, by digest":             {values: apart, reference: "quay.io/a/b@" + digest},
		"repository and digest":                     {values: pipelines.ImageValues{Repository: "repository", Digest: "digest"}, reference: "a/b@" + digest, want: "a/b:v0@" + digest},
		"the whole":                                 {values: pipelines.ImageValues{Reference: "reference"}, reference: "quay.io/a/b:1@" + digest},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := c.values.Of(c.reference)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if want == "" {
				want = c.reference
			}
			if got := joined(values); got != want {
				t.Errorf("the chart makes %s of %s, want %s: %+v", got, c.reference, want, values)
			}
		})
	}
	if values, err := (&pipelines.ImageValues{Repository: "r", Digest: "d"}).Of("agent:1.2"); err == nil {
		t.Errorf("the tag is lost: %+v", values)
	}
}
