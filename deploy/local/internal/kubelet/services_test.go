package kubelet

import (
	"context"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/kubernetes/pkg/volume"
)

// creator keeps the environment of what is created.
type creator struct {
	cri.RuntimeService
	env string
}

func (c *creator) CreateContainer(
	_ context.Context, _ string, config *runtimeapi.ContainerConfig, _ *runtimeapi.PodSandboxConfig,
) (string, error) {
	var env []string
	for _, e := range config.Envs {
		env = append(env, e.Key+"="+string(e.Value))
	}
	c.env = strings.Join(env, " ")
	return "", nil
}

func TestContainersFindTheAPIServer(t *testing.T) {
	for _, tc := range []struct{ reason, env, want string }{
		{
			"the Service's address leads nowhere", "A=1 KUBERNETES_SERVICE_HOST=172.30.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_SERVICE_PORT_HTTPS=443",
			"A=1 KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=20496 KUBERNETES_SERVICE_PORT_HTTPS=20496",
		},
		{
			"a pod may say another", "KUBERNETES_SERVICE_HOST=10.1.2.3 KUBERNETES_SERVICE_PORT=443",
			"KUBERNETES_SERVICE_HOST=10.1.2.3 KUBERNETES_SERVICE_PORT=443",
		},
		{"a pod may have none", "A=1", "A=1"},
	} {
		var c creator
		s, err := newServices(&c, "127.0.0.1:20496")
		if err != nil {
			t.Fatal(err)
		}
		config := &runtimeapi.ContainerConfig{}
		for _, e := range strings.Fields(tc.env) {
			key, value, _ := strings.Cut(e, "=")
			config.Envs = append(config.Envs, &runtimeapi.KeyValue{Key: key, Value: []byte(value)})
		}
		if _, err := s.CreateContainer(t.Context(), "", config, nil); err != nil || c.env != tc.want {
			t.Errorf("%s: it has %s, %v; want %s", tc.reason, c.env, err, tc.want)
		}
	}
	if _, err := newServices(&creator{}, "nowhere"); err == nil {
		t.Error("an address without a port is taken")
	}
}

// mounter keeps how it was asked.
type mounter struct {
	volume.Mounter
	asked volume.MounterArgs
}

func (m *mounter) SetUp(args volume.MounterArgs) error             { m.asked = args; return nil }
func (m *mounter) SetUpAt(_ string, args volume.MounterArgs) error { m.asked = args; return nil }

func TestTokensHaveNoOwner(t *testing.T) {
	for name, setUp := range map[string]func(volume.Mounter, volume.MounterArgs) error{
		"SetUp":   func(m volume.Mounter, a volume.MounterArgs) error { return m.SetUp(a) },
		"SetUpAt": func(m volume.Mounter, a volume.MounterArgs) error { return m.SetUpAt("", a) },
	} {
		var m mounter
		if err := setUp(ownerlessMounter{&m}, volume.MounterArgs{FsUser: new(int64(1)), FsGroup: new(int64(1)), SELinuxLabel: "kept"}); err != nil {
			t.Fatal(err)
		}
		if m.asked.FsUser != nil || m.asked.FsGroup != nil || m.asked.SELinuxLabel != "kept" {
			t.Errorf("%s asks with %+v", name, m.asked)
		}
	}
}
