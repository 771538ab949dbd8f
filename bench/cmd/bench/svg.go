package main

import (
	"fmt"
	"slices"
	"strings"
)

// curve is a line of a picture, with one value for each place of the axis.
type curve struct {
	name string
	y    []float64
}

// draw makes an SVG picture of curves beside each other, each from 0 to the most that it has. The places of the axis
// stand at equal distances.
func draw(what string, xs []int, curves []curve) string {
	const width, height, left, top, gap = 200, 110, 20, 30, 30
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" `+
		`fill="#6e7781" text-anchor="middle">`+"\n", left+len(curves)*(width+gap), top+height+40)
	for i, c := range curves {
		x0, most := left+i*(width+gap), slices.Max(c.y)
		place := func(k int) (x, y float64) {
			return float64(x0) + (float64(k)+0.5)*width/float64(len(xs)), top + height*(1-c.y[k]/max(most, 1e-9)*0.85)
		}
		fmt.Fprintf(&b, `<text x="%d" y="12" font-weight="bold">%s</text>`+"\n", x0+width/2, c.name)
		fmt.Fprintf(&b, `<path d="M%d %dh%d" stroke="#6e7781"/>`+"\n", x0, top+height, width)
		var line []string
		for k := range xs {
			x, y := place(k)
			line = append(line, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="#0969da"/><text x="%.1f" y="%.1f">%s</text>`+
				`<text x="%.1f" y="%d">%d</text>`+"\n", x, y, x, y-7, short(c.y[k]), x, top+height+15, xs[k])
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="#0969da" stroke-width="2"/>`+"\n", strings.Join(line, " "))
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", x0+width/2, top+height+32, what)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
