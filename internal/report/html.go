package report

import (
	"embed"
	"html/template"
	"io"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

//go:embed page.html
var pages embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"clock": clock,
	"short": func(text string) string { return clip.Runes(text, 34) },
}).ParseFS(pages, "page.html"))

// HTML writes the document as one page that opens without a network.
func (d *Document) HTML(w io.Writer) error {
	return fault.Wrap(fault.Internal, page.Execute(w, d), "cannot write the report of %s", d.Title)
}
