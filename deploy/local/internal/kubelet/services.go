package kubelet

import (
	"context"
	"fmt"
	"net"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The variables by which programs in pods find the API server.
const (
	serverHost      = "KUBERNETES_SERVICE_HOST"
	serverPort      = "KUBERNETES_SERVICE_PORT"
	serverPortHTTPS = "KUBERNETES_SERVICE_PORT_HTTPS"
)

// serverAddress is what the kubelet says in serverHost: the API server's Service, the first address of its range.
const serverAddress = "172.30.0.1"

// services is a runtime whose containers are told where the API server really is.
type services struct {
	cri.RuntimeService
	host, port string
}

func newServices(runtime cri.RuntimeService, server string) (*services, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("cannot read address of API server: %w", err)
	}
	return &services{RuntimeService: runtime, host: host, port: port}, nil
}

// CreateContainer gives the container the API server's own address in place of its Service's. What a pod itself says stays.
func (s *services) CreateContainer(
	ctx context.Context, sandbox string, config *runtimeapi.ContainerConfig, of *runtimeapi.PodSandboxConfig,
) (string, error) {
	ofService := false
	for _, e := range config.Envs {
		ofService = ofService || e.Key == serverHost && string(e.Value) == serverAddress
	}
	for _, e := range config.Envs {
		switch {
		case !ofService:
		case e.Key == serverHost:
			e.Value = []byte(s.host)
		case e.Key == serverPort, e.Key == serverPortHTTPS:
			e.Value = []byte(s.port)
		}
	}
	return s.RuntimeService.CreateContainer(ctx, sandbox, config, of)
}
