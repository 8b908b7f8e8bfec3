package supervisor

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// auditPolicy logs who asked for what, once for each request that is answered
// and twice for a watch: ResponseStarted when it opens and ResponseComplete
// when it ends. Count ResponseComplete for requests and ResponseStarted for
// watches.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// controllers are what rollouts of infrastructure need from the controller
// manager; every further one costs a start and memory in each cluster.
var controllers = []string{
	"cronjob-controller",
	"clusterrole-aggregation-controller",
	"daemonset-controller",
	"deployment-controller",
	"disruption-controller",
	"endpoints-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"job-controller",
	"namespace-controller",
	"node-lifecycle-controller",
	"pod-garbage-collector-controller",
	"replicaset-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"statefulset-controller",
	"taint-eviction-controller",
	"ttl-after-finished-controller",
}

func (c *cluster) arguments(part string) []string {
	switch part {
	case stack.Etcd:
		return []string{
			"--data-dir=" + c.path("etcd"),
			"--client=" + stack.Loopback(c.ports.EtcdClient),
			"--peer=" + stack.Loopback(c.ports.EtcdPeer),
		}
	case stack.APIServer:
		return c.apiServerArguments()
	case stack.ControllerManager:
		return []string{
			"--kubeconfig=" + c.partKubeconfig(part),
			"--controllers=" + strings.Join(controllers, ","),
			"--service-account-private-key-file=" + c.secrets.ServiceAccountKeyFile(),
			"--root-ca-file=" + c.secrets.CAFile(),
			"--leader-elect=false",
			"--secure-port=0",
			"--profiling=false",
			"--kube-api-qps=300",
			"--kube-api-burst=600",
			"--terminated-pod-gc-threshold=1000",
			fmt.Sprintf("--node-monitor-grace-period=%ds", stack.NodeGraceSeconds),
		}
	case stack.Scheduler:
		return []string{
			"--kubeconfig=" + c.partKubeconfig(part),
			"--leader-elect=false",
			"--secure-port=0",
			"--profiling=false",
			"--kube-api-qps=500",
			"--kube-api-burst=1000",
		}
	case stack.ProcessNode:
		return []string{
			"--kubeconfig=" + c.partKubeconfig(part),
			"--name=" + c.process.name,
			"--dir=" + c.path("node"),
			"--programs=" + c.process.programs,
			"--pod-addresses=" + c.process.addresses.String(),
			"--api-server=" + stack.Loopback(c.ports.API),
			"--tls-cert-file=" + c.secrets.CertFile(),
			"--tls-private-key-file=" + c.secrets.KeyFile(),
			"--client-ca-file=" + c.secrets.KubeletClientCertFile(),
			fmt.Sprintf("--port=%d", c.ports.Node),
		}
	default:
		return []string{
			"--kubeconfig=" + c.partKubeconfig(part),
			"--tls-cert-file=" + c.secrets.CertFile(),
			"--tls-private-key-file=" + c.secrets.KeyFile(),
			fmt.Sprintf("--kubelet-port=%d", c.ports.Kubelet),
		}
	}
}

func (c *cluster) apiServerArguments() []string {
	return []string{
		"--etcd-servers=http://" + stack.Loopback(c.ports.EtcdClient),
		"--bind-address=127.0.0.1",
		// Nothing looks the address up, but without one a machine that is
		// offline cannot start.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", c.ports.API),
		"--cert-dir=" + c.path("certs"),
		"--tls-cert-file=" + c.secrets.CertFile(),
		"--tls-private-key-file=" + c.secrets.KeyFile(),
		"--token-auth-file=" + c.secrets.TokenFile(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.secrets.ServiceAccountKeyFile(),
		"--service-account-signing-key-file=" + c.secrets.ServiceAccountKeyFile(),
		// Every node's kubelet is at the same loopback address, which is the
		// nodes' external one.
		"--kubelet-preferred-address-types=ExternalIP",
		// The process node answers nobody else: whoever reaches its kubelet can run programs.
		"--kubelet-client-certificate=" + c.secrets.KubeletClientCertFile(),
		"--kubelet-client-key=" + c.secrets.KubeletClientKeyFile(),
		"--service-cluster-ip-range=172.30.0.0/16",
		"--authorization-mode=Node,RBAC",
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=1000",
		"--max-mutating-requests-inflight=500",
		"--profiling=false",
		"--audit-policy-file=" + c.path("audit-policy.yaml"),
		"--audit-log-path=" + c.auditLog(),
		"--audit-log-maxsize=50",
		"--audit-log-maxbackup=3",
	}
}
