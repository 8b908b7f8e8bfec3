package processes

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	cri "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// nobody is the user that images are said to run as, so that pods which refuse root are accepted. Processes run as
// whoever started the stack.
const nobody = 65532

// Programs is a folder of programs that stand in for images: the image registry.example/team/fixture:1.2 is the program
// fixture. It serves the image half of the Container Runtime Interface. Nothing is pulled.
type Programs string

var _ cri.ImageManagerService = Programs("")

// split returns the program that an image names and its tag, "latest" where it has none.
func split(image string) (program, tag string) {
	name, _, _ := strings.Cut(image, "@")
	name = name[strings.LastIndex(name, "/")+1:]
	program, tag, ok := strings.Cut(name, ":")
	if !ok {
		tag = "latest"
	}
	return program, tag
}

func imageID(image string) string {
	program, tag := split(image)
	return "program/" + program + ":" + tag
}

// find returns the file of the program that an image names.
func (p Programs) find(image string) (string, error) {
	program, _ := split(image)
	return p.program(program)
}

// program returns the file of a program.
func (p Programs) program(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, filepath.Separator) {
		return "", fmt.Errorf("cannot find program %q: it is no name", name)
	}
	path := filepath.Join(string(p), name)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("cannot find program %q: there is none in %s", name, string(p))
	}
	return path, nil
}

// ImageStatus tells of an image; it has none if there is no such program.
func (p Programs) ImageStatus(_ context.Context, image *runtimeapi.ImageSpec, _ bool) (*runtimeapi.ImageStatusResponse, error) {
	path, err := p.find(image.GetImage())
	if err != nil {
		return &runtimeapi.ImageStatusResponse{}, nil
	}
	size := uint64(0)
	if info, err := os.Stat(path); err == nil {
		size = uint64(info.Size())
	}
	return &runtimeapi.ImageStatusResponse{Image: &runtimeapi.Image{
		Id: imageID(image.GetImage()), RepoTags: []string{image.GetImage()}, Size: size, Spec: image,
		Uid: &runtimeapi.Int64Value{Value: nobody},
	}}, nil
}

// PullImage fails unless the program is there.
func (p Programs) PullImage(
	_ context.Context, image *runtimeapi.ImageSpec, _ *runtimeapi.AuthConfig, _ *runtimeapi.PodSandboxConfig,
) (string, error) {
	if _, err := p.find(image.GetImage()); err != nil {
		return "", fmt.Errorf("cannot pull image %q: %w", image.GetImage(), err)
	}
	return imageID(image.GetImage()), nil
}

// ListImages is empty: there is nothing to clean up.
func (p Programs) ListImages(context.Context, *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	return nil, nil
}

// RemoveImage removes nothing.
func (p Programs) RemoveImage(context.Context, *runtimeapi.ImageSpec) error { return nil }

// ImageFsInfo says that images take no room.
func (p Programs) ImageFsInfo(context.Context) (*runtimeapi.ImageFsInfoResponse, error) {
	usage := []*runtimeapi.FilesystemUsage{{
		FsId:      &runtimeapi.FilesystemIdentifier{Mountpoint: string(p)},
		UsedBytes: &runtimeapi.UInt64Value{}, InodesUsed: &runtimeapi.UInt64Value{Value: math.MaxInt32},
	}}
	return &runtimeapi.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}

// Close has nothing to do.
func (p Programs) Close(context.Context) error { return nil }
