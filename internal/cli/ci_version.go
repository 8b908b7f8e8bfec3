package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/internal/propose"
	"sluice.dev/sluice/pipelines"
)

// CIVersionOptions are what ci version needs.
type CIVersionOptions struct {
	inCI
	Factory     *Factory
	Component   string
	Paths       []string
	Images      []string // SLOT=REFERENCE@DIGEST
	From, To    string   // versions
	Environment string
	Branch      string
	Remote      string
	Author      string
	Into        string // branch that a request is opened into; "": none is
}

// NewCmdCIVersion proposes a version of a component.
func NewCmdCIVersion(f *Factory, runF func(context.Context, *CIVersionOptions) error) *cobra.Command {
	opts := &CIVersionOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "version COMPONENT --image SLOT=REF@DIGEST [PATH...]",
		Short: "Propose a new version of a component, as a commit on a branch",
		Long: `Give a component the images that a build has made, in its document in the checked-out git repository: a
commit on top of what is checked out, on a branch that is pushed. Comments and layout of the file stay, and
so do the checked-out files. An image is named with its digest. The version is that of --to, or the tag of
the only image.

Where the document has these images already, or the branch has them, nothing is committed. With --request the
forge is asked to open a request for the branch; where one is open, that is the one. The outputs are
  branch   that has the version
  commit   its tip; none where the checked-out document has it already
  changed  true where it was pushed now
  request  address of the request; none without --request`,
		Example: `  sluice ci version node-agent --image agent=registry.example/agent:2.1.0@sha256:0123...
  sluice ci version node-agent --image agent=registry.example/agent:2.1.0@sha256:0123... --request main
  sluice ci version node-agent fleet components --image agent=registry.example/agent@sha256:0123... --to 2.1.0 --branch main`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "COMPONENT is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Component, opts.Paths = args[0], args[1:]
			if len(opts.Paths) == 0 {
				opts.Paths = []string{"."}
			}
			if len(opts.Images) == 0 {
				return usage(cmd, "--image is missing")
			}
			if err := opts.begin(cmd, f); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return ciVersionRun(cmd.Context(), opts)
		},
	}
	opts.inCI.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.Images, "image", nil, "`SLOT=REF@DIGEST` of an image of the component; may be repeated (needed)")
	flags.StringVar(&opts.To, "to", "", "`VERSION` that the component gets (default: the tag of the only image)")
	flags.StringVar(&opts.From, "from", "", "`VERSION` of the document to change, where the files have several")
	flags.StringVar(&opts.Environment, "environment", "", "`NAME` of the environment that the images are for (default: those that name none)")
	flags.StringVar(&opts.Branch, "branch", "", "`NAME` of the branch (default sluice/COMPONENT-VERSION)")
	flags.StringVar(&opts.Remote, "remote", "origin", "`NAME` of the git remote that has the branch")
	flags.StringVar(&opts.Into, "request", "", "open a pull or merge request into the `BRANCH`, with the token in "+forgeTokenEnv)
	flags.StringVar(&opts.Author, "author", "", "`NAME <MAIL>` of the commit (default: as git is configured)")
	return cmd
}

func ciVersionRun(ctx context.Context, o *CIVersionOptions) error {
	images, tag, err := o.images()
	if err != nil {
		return err
	}
	docs, err := engine.LoadDocuments(o.Paths, o.Factory.Library)
	if err != nil {
		return err
	}
	c, err := o.document(docs, images)
	if err != nil {
		return err
	}
	if o.has(c, images) {
		_, err := fmt.Fprintf(shown{o.Factory.Out}, "%s %s has these images already: nothing is proposed\n", o.Component, c.Spec.Version)
		return errors.Join(err, o.output(ci.Output{Name: "branch"}, ci.Output{Name: "commit"}, ci.Output{Name: "changed", Value: "false"},
			ci.Output{Name: "request"}))
	}
	to := cmp.Or(o.To, tag)
	switch {
	case to == "":
		return fault.New(fault.Invalid, "cannot tell which version %s gets: no tag of one image says; choose with --to VERSION", o.Component)
	case to == c.Spec.Version:
		return fault.New(fault.Invalid, "cannot propose %s %s: there is such a version with other images, and a version never changes; "+
			"choose another one with --to VERSION", o.Component, to)
	}
	edited, err := o.edit(docs, c, images, to)
	if err != nil {
		return err
	}
	return o.propose(ctx, c, edited, to)
}

// images are the references by slot, and the tag of the only one.
func (o *CIVersionOptions) images() (images map[string]string, tag string, err error) {
	images = map[string]string{}
	for _, flag := range o.Images {
		slot, reference, ok := strings.Cut(flag, "=")
		if !ok || slot == "" {
			return nil, "", fault.New(fault.Invalid, "cannot read --image %q: write SLOT=REF@DIGEST", flag)
		}
		parsed, err := pipelines.ParseImage(reference)
		if err == nil && parsed.Digest == "" {
			err = errors.New("it has no digest: a tag can be moved")
		}
		if err != nil {
			return nil, "", fault.Wrap(fault.Invalid, err, "cannot read --image %q", flag)
		}
		if images[slot] != "" {
			return nil, "", fault.New(fault.Invalid, "--image gives slot %s twice", slot)
		}
		images[slot], tag = reference, parsed.Tag
	}
	if len(images) > 1 {
		tag = ""
	}
	return images, tag, nil
}

// document is the version of the component that is to become another one.
func (o *CIVersionOptions) document(docs *pipelines.Documents, images map[string]string) (*pipelines.Component, error) {
	all := docs.Components[o.Component]
	var versions []string
	var c *pipelines.Component
	for _, known := range all {
		versions = append(versions, known.Spec.Version)
		if len(all) == 1 && o.From == "" || known.Spec.Version == o.From {
			c = known
		}
	}
	switch {
	case len(all) == 0:
		return nil, fault.New(fault.NotFound, "cannot find component %s in %s", o.Component, strings.Join(o.Paths, ", "))
	case c == nil && o.From == "":
		return nil, fault.New(fault.Invalid, "cannot tell which document of %s to change: there are %s; choose with --from VERSION",
			o.Component, strings.Join(versions, ", "))
	case c == nil:
		return nil, fault.New(fault.NotFound, "cannot find %s %s: there are %s", o.Component, o.From, strings.Join(versions, ", "))
	}
	for slot := range images {
		if _, ok := c.Spec.Images[slot]; !ok {
			return nil, fault.New(fault.Invalid, "cannot give %s an image for slot %s: it has the slots %s",
				o.Component, slot, strings.Join(slices.Sorted(maps.Keys(c.Spec.Images)), ", "))
		}
	}
	return c, nil
}

// has reports whether the component has all images already.
func (o *CIVersionOptions) has(c *pipelines.Component, images map[string]string) bool {
	for slot, reference := range images {
		now := c.Spec.Images[slot].Default
		if o.Environment != "" {
			now = c.Spec.Images[slot].Environments[o.Environment]
		}
		if now != reference {
			return false
		}
	}
	return true
}

// edit is the component's file as it will be. It is checked with all the others before anything is committed.
func (o *CIVersionOptions) edit(docs *pipelines.Documents, c *pipelines.Component, images map[string]string, to string) ([]byte, error) {
	var edited []byte
	sources := make([]pipelines.Source, len(docs.Files))
	for i, name := range docs.Files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.Wrap(fault.NotFound, err, "cannot read %s", name)
		}
		if name == c.Position.File {
			values := append(propose.Slots(images, o.Environment), propose.Value{Path: []string{"spec", "version"}, Text: to})
			document := propose.Document{Kind: "Component", Name: o.Component, Version: c.Spec.Version}
			if edited, err = propose.Edit(data, document, values); err != nil {
				return nil, fault.Wrap(fault.CodeOf(err), err, "cannot change %s", name)
			}
			data = edited
		}
		sources[i] = pipelines.Source{Name: name, Data: data}
	}
	if edited == nil {
		return nil, fault.New(fault.NotFound, "cannot change %s: it is in none of the files", o.Component)
	}
	_, err := pipelines.Loader{Library: o.Factory.Library}.Parse(sources...)
	return edited, fault.Wrap(fault.Invalid, err, "cannot propose %s %s", o.Component, to)
}

// propose commits the file on its branch, and says what comes next.
func (o *CIVersionOptions) propose(ctx context.Context, c *pipelines.Component, edited []byte, to string) error {
	repository, path, err := propose.Open(ctx, c.Position.File, o.Remote)
	if err != nil {
		return err
	}
	repository.Author = o.Author
	clean, err := repository.Clean(ctx, path)
	if err != nil {
		return err
	}
	if !clean {
		return fault.New(fault.Conflict, "cannot propose a change of %s: it has changes that no commit has", path)
	}
	var message bytes.Buffer
	fmt.Fprintf(&message, "Propose %s %s\n\nIt was %s.\n", o.Component, to, c.Spec.Version)
	for _, image := range o.Images {
		fmt.Fprintf(&message, "%s\n", image)
	}
	if o.job.URL != "" {
		fmt.Fprintf(&message, "\nBuilt by %s\n", o.job.URL)
	}
	done, err := repository.Push(ctx, propose.Proposal{
		Path: path, Data: edited, Branch: cmp.Or(o.Branch, "sluice/"+o.Component+"-"+to), Message: message.String(),
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s %s is on branch %s already, at %.12s\n", o.Component, to, done.Branch, done.Commit)
	if done.New {
		text = fmt.Sprintf("%s %s is on branch %s, at %.12s\n", o.Component, to, done.Branch, done.Commit)
	}
	opened, err := o.open(ctx, done.Branch, to, message.String())
	if err != nil {
		return err
	}
	switch at := o.request(done.Branch); {
	case opened != "":
		text += "it is proposed: " + opened + "\n"
	case at != "":
		text += "open the request: " + at + "\n"
	}
	_, err = fmt.Fprint(shown{o.Factory.Out}, text)
	return errors.Join(err,
		o.summarize(fmt.Sprintf("### Proposed %s %s\n\n- branch %s\n- commit %s\n\n",
			markdown.Code(o.Component), markdown.Code(to), markdown.Code(done.Branch), markdown.Code(done.Commit))),
		o.output(ci.Output{Name: "branch", Value: done.Branch}, ci.Output{Name: "commit", Value: done.Commit},
			ci.Output{Name: "changed", Value: fmt.Sprint(done.New)}, ci.Output{Name: "request", Value: opened}))
}

// forgeTokenEnv has the token by which a request is opened: that of the job itself is often not let do it, or starts no jobs.
const forgeTokenEnv = "SLUICE_FORGE_TOKEN"

// open has the forge open a request for a branch, or finds the one that is open, and returns its address; "" where nobody asks for one.
func (o *CIVersionOptions) open(ctx context.Context, branch, to, message string) (string, error) {
	if o.Into == "" {
		return "", nil
	}
	at := forge.Place{Kind: forge.GitHub, API: o.job.API, Repository: o.job.Repository}
	switch token := o.Factory.Getenv(forgeTokenEnv); {
	case o.job.System == ci.None:
		return "", fault.New(fault.Invalid, "cannot open a request: this is no job of GitHub Actions or GitLab CI, which would say where")
	case token == "":
		return "", fault.New(fault.Invalid, "cannot open a request: %s has no token; the version is on branch %s", forgeTokenEnv, branch)
	}
	if o.job.System == ci.GitLab {
		at.Kind = forge.GitLab
	}
	repository, err := forge.New(at, func(context.Context) (string, error) { return o.Factory.Getenv(forgeTokenEnv), nil })
	if err != nil {
		return "", err
	}
	_, text, _ := strings.Cut(message, "\n\n")
	r, _, err := repository.Open(ctx, forge.Proposal{From: branch, Into: o.Into, Title: "Propose " + o.Component + " " + to, Text: text})
	if err != nil {
		return "", fault.Wrap(fault.CodeOf(err), err, "the version is on branch %s, and not proposed", branch)
	}
	return r.URL, nil
}

// request is where a person opens the pull or merge request of a branch; "" where nobody says which forge it is.
func (o *CIVersionOptions) request(branch string) string {
	at := o.job.Server + "/" + o.job.Repository
	switch o.job.System {
	case ci.GitHub:
		return at + "/pull/new/" + (&url.URL{Path: branch}).EscapedPath()
	case ci.GitLab:
		return at + "/-/merge_requests/new?" + url.Values{"merge_request[source_branch]": {branch}}.Encode()
	}
	return ""
}
