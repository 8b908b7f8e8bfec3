package processes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Variables that every container finds in its environment, beside those of its pod.
const (
	portVariable        = "PORT"            // where it is meant to listen
	addressVariable     = "POD_IP"          // at this address
	tagVariable         = "IMAGE_TAG"       // of its image
	volumesVariable     = "VOLUMES"         // the folder under which its mounts are, by mountPath
	terminationVariable = "TERMINATION_LOG" // the file of its termination message
	// markVariable is how processes of a runtime are found again.
	markVariable = "SLUICE_LOCAL_NODE"
)

// What the kubelet writes beside a container.
const (
	portsAnnotation       = "io.kubernetes.container.ports"
	terminationAnnotation = "io.kubernetes.container.terminationMessagePath"
)

// defaultPort is the port of a container that declares none.
const defaultPort = 8080

// systemPath is where commands are looked for that are not programs.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// command describes the process of a container: its own, or another in its place if words are given.
func (r *Runtime) command(c *container, words []string) (*exec.Cmd, error) {
	volumes, err := r.mount(c)
	if err != nil {
		return nil, err
	}
	path, args, err := r.resolve(c, volumes, words)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(volumes, c.config.WorkingDir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = volumes
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = r.environment(c, volumes)
	cmd.SysProcAttr = attributes()
	return cmd, nil
}

// mount makes a folder in which every mount of the container is found at its mountPath: a process has no view of the file
// system of its own. It is the folder that the process starts in.
func (r *Runtime) mount(c *container) (string, error) {
	volumes := filepath.Join(r.containerDir(c.id), "volumes")
	for _, m := range c.config.Mounts {
		link := filepath.Join(volumes, filepath.Clean("/"+m.ContainerPath))
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			return "", fmt.Errorf("cannot mount %s: %w", m.ContainerPath, err)
		}
		if err := os.Symlink(m.HostPath, link); err != nil && !os.IsExist(err) {
			return "", fmt.Errorf("cannot mount %s: %w", m.ContainerPath, err)
		}
	}
	if err := os.MkdirAll(volumes, 0o700); err != nil {
		return "", fmt.Errorf("cannot make folder of container: %w", err)
	}
	return volumes, nil
}

// resolve finds the file to run. Without a command it is the image's program; a command is looked for among the
// container's mounts, the machine's files, and the programs.
func (r *Runtime) resolve(c *container, volumes string, words []string) (string, []string, error) {
	if len(c.config.Command) == 0 && len(words) == len(c.config.Args) {
		path, err := r.Programs.find(c.config.GetImage().GetUserSpecifiedImage())
		return path, words, err
	}
	name, args := words[0], words[1:]
	if filepath.IsAbs(name) {
		for _, path := range []string{filepath.Join(volumes, name), name} {
			if _, err := os.Stat(path); err == nil {
				return path, args, nil
			}
		}
	}
	if path, err := r.Programs.program(filepath.Base(name)); err == nil {
		return path, args, nil
	}
	for _, dir := range filepath.SplitList(systemPath) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !strings.ContainsRune(name, '/') && info.Mode()&0o111 != 0 {
			return path, args, nil
		}
	}
	return "", nil, fmt.Errorf("cannot find command %q: no such file or program", name)
}

// environment is what the pod says on top of what every container has. Nothing of the stack's own gets in.
func (r *Runtime) environment(c *container, volumes string) []string {
	_, tag := split(c.config.GetImage().GetUserSpecifiedImage())
	env := []string{
		"PATH=" + string(r.Programs) + ":" + systemPath,
		"HOME=" + volumes,
		"HOSTNAME=" + c.sandbox.config.Hostname,
		portVariable + "=" + strconv.Itoa(port(c.config.Annotations)),
		addressVariable + "=" + c.sandbox.address,
		tagVariable + "=" + tag,
		volumesVariable + "=" + volumes,
	}
	if path := terminationLog(c.config); path != "" {
		env = append(env, terminationVariable+"="+path)
	}
	for _, e := range c.config.Envs {
		env = append(env, e.Key+"="+string(e.Value))
	}
	return append(env, markVariable+"="+r.Dir)
}

// port is the first that the container declares.
func port(annotations map[string]string) int {
	var ports []struct {
		ContainerPort int `json:"containerPort"`
	}
	if err := json.Unmarshal([]byte(annotations[portsAnnotation]), &ports); err != nil || len(ports) == 0 {
		return defaultPort
	}
	return ports[0].ContainerPort
}

// terminationLog is the file behind the container's terminationMessagePath.
func terminationLog(config *runtimeapi.ContainerConfig) string {
	for _, m := range config.Mounts {
		if m.ContainerPath == config.Annotations[terminationAnnotation] {
			return m.HostPath
		}
	}
	return ""
}
