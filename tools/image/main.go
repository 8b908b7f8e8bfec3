// Command image makes a container image of a static program, as an OCI archive, and beside it a bill of what the program was
// built of. The same program gives the same bytes, on any machine.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	program := flags.String("program", "bin/sluice", "`FILE` of the static program")
	out := flags.String("out", "bin/image", "`FOLDER` that archive, bill and digest are written into")
	arch := flags.String("arch", "amd64", "`ARCHITECTURE` that the program is built for")
	name := flags.String("name", "sluice", "`NAME` of image and program")
	release := flags.String("release", "devel", "`VERSION` that the image is tagged with")
	revision := flags.String("revision", "", "`COMMIT` that the program was built of")
	seconds := flags.Int64("epoch", 0, "`SECONDS` since 1970 when that was committed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	about := About{
		Name: *name, Release: *release, Revision: *revision, Architecture: *arch, Created: time.Unix(*seconds, 0).UTC(),
	}
	bill, err := Bill(*program, about)
	if err != nil {
		return err
	}
	image, err := Build(*program, about)
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("cannot tell the digest of the image: %w", err)
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	at := filepath.Join(*out, about.Name+"-linux-"+about.Architecture)
	if err := Archive(at+".oci.tar", image, about); err != nil {
		return err
	}
	if err := os.WriteFile(at+".cdx.json", bill, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(at+".digest", []byte(digest.String()+"\n"), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s.oci.tar is %s:%s for linux/%s, %s\n", at, about.Name, about.Release, about.Architecture, digest)
	return nil
}
