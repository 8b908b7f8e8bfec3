package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Bill says in CycloneDX of which modules a program was built, as the program itself has it, and by which Go. It has no serial number:
// the same program has the same bill.
func Bill(program string, about About) ([]byte, error) {
	built, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("cannot read of what %s was built: %w", program, err)
	}
	bill := cdx.NewBOM()
	main := component(&built.Main)
	main.Type, main.Version = cdx.ComponentTypeApplication, about.Release
	main.BOMRef = purl(built.Main.Path, about.Release)
	main.PackageURL = main.BOMRef
	bill.Metadata = &cdx.Metadata{Timestamp: about.Created.Format(time.RFC3339), Component: &main}
	parts := []cdx.Component{component(&debug.Module{Path: "std", Version: strings.TrimPrefix(built.GoVersion, "go")})}
	for _, module := range built.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		parts = append(parts, component(module))
	}
	slices.SortFunc(parts, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	needs := make([]string, len(parts))
	for i, p := range parts {
		needs[i] = p.BOMRef
	}
	bill.Components = &parts
	bill.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &needs}}
	var text bytes.Buffer
	if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill); err != nil {
		return nil, fmt.Errorf("cannot write the bill of %s: %w", program, err)
	}
	return text.Bytes(), nil
}

func component(module *debug.Module) cdx.Component {
	made := cdx.Component{
		BOMRef: purl(module.Path, module.Version), Type: cdx.ComponentTypeLibrary, Name: module.Path, Version: module.Version,
		PackageURL: purl(module.Path, module.Version),
	}
	if module.Sum != "" { // of the module's files: Go's own kind of sum, which CycloneDX has no name for
		made.Properties = &[]cdx.Property{{Name: "go.sum", Value: module.Sum}}
	}
	return made
}

// purl is the package URL of a module; each part of its path stands for itself.
func purl(path, version string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "pkg:golang/" + strings.Join(parts, "/") + "@" + url.PathEscape(version)
}
