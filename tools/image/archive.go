package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Archive writes an image as the tar of an OCI layout: what skopeo and podman call oci-archive, and what ctr and docker load. The
// file is there only once it is whole.
func Archive(path string, image v1.Image, about About) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	at, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("cannot write an OCI layout: %w", err)
	}
	err = at.AppendImage(image,
		layout.WithPlatform(v1.Platform{OS: "linux", Architecture: about.Architecture}),
		layout.WithAnnotations(map[string]string{
			"org.opencontainers.image.ref.name": about.Release,
			"io.containerd.image.name":          "sluice.dev/" + about.Name + ":" + about.Release,
		}))
	if err != nil {
		return fmt.Errorf("cannot write the image: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".archive-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	err = pack(file, folder)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(file.Name(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}

// pack writes a folder as a tar, in the order of its names and without its times.
func pack(to io.Writer, folder string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
		if d.IsDir() {
			header.Name, header.Mode, header.Typeflag = header.Name+"/", 0o755, tar.TypeDir
			return w.WriteHeader(header)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header.Size = int64(len(data))
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
