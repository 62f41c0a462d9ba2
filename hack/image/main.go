// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image packs Ticketflow's program into a container image, without
// Docker: a tar that `docker load`, `podman load` and `ctr images import` take.
// There is nothing in it but the program, which runs as a user without rights.
// The same program makes the same tar.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is who it runs as, by number, so that Kubernetes can tell it is not root.
const user = 65532

func main() {
	program := flag.String("program", "", "the statically linked program")
	tag := flag.String("name", "", "name and tag of the image")
	version := flag.String("version", "", "version that the image is labelled with")
	arch := flag.String("arch", "amd64", "architecture of the program")
	out := flag.String("output", "", "the tar to write")
	flag.Parse()
	if err := pack(*program, *tag, *version, *arch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func pack(program, tag, version, arch, out string) error {
	reference, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	files, err := layer(program)
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, files)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{
		User: fmt.Sprintf("%d:%d", user, user), Entrypoint: []string{"/ticketflow"}, WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title": "ticketflow", "org.opencontainers.image.version": version,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return tarball.WriteToFile(out, reference, image)
}

// layer has the program alone.
func layer(program string) (v1.Layer, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	writer := tar.NewWriter(&files)
	if err := writer.WriteHeader(&tar.Header{Name: "ticketflow", Mode: 0o755, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	if _, err := writer.Write(data); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
}
