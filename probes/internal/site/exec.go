package site

import (
	"context"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"sluice.dev/sluice/probes/internal/trial"
)

// execOutput is how much of a command's output is kept.
const execOutput = 1 << 10

// Exec runs a command in a pod that is ready: from the API server through the kubelet into the container, and back. That this fails is a
// fault; that the case may not is none.
func (s *Site) Exec(ctx context.Context, pod string, command []string) error {
	request := s.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(s.Namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: "main", Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	// The bound of one request would end the stream.
	config := rest.CopyConfig(s.Config)
	config.Timeout = 0
	executor, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	if err != nil {
		return trial.Blind("NoExec", "cannot run a command in the pod: %w", err)
	}
	var said clipped
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &said, Stderr: &said})
	var ended exec.CodeExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ended):
		return trial.Fault("CommandFailed", "the command ended with %d in the pod: %s", ended.Code, said.text())
	case strings.Contains(err.Error(), "forbidden") || strings.Contains(err.Error(), "unauthorized"):
		return trial.Blind("Forbidden", "cannot run a command in the pod: %w", err)
	default:
		return trial.Fault("ExecFailed", "cannot run a command in a pod that is ready: %w", err)
	}
}

// clipped keeps the beginning of what is written.
type clipped struct{ kept []byte }

func (c *clipped) Write(p []byte) (int, error) {
	c.kept = append(c.kept, p[:min(len(p), execOutput-len(c.kept))]...)
	return len(p), nil
}

func (c *clipped) text() string { return strings.TrimSpace(string(c.kept)) }
