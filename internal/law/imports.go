package law

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Package is what go list says about one package, test files apart.
type Package struct {
	ImportPath string
	Standard   bool
	Imports    []string // what its own files import
	Deps       []string // everything it reaches
}

// Breaches judges the packages of a module against the tables and says what breaks the law, each with its cure, sorted.
func Breaches(module string, packages []Package) []string {
	j := judge{module: module, packages: map[string]Package{}}
	for _, p := range packages {
		j.packages[p.ImportPath] = p
	}
	for _, p := range packages {
		if name, ours := j.ours(p.ImportPath); ours {
			j.judge(name, p)
		}
	}
	slices.Sort(j.found)
	return j.found
}

type judge struct {
	module   string
	packages map[string]Package
	found    []string
}

func (j *judge) breach(format string, args ...any) {
	j.found = append(j.found, fmt.Sprintf(format, args...))
}

// ours cuts the module's path off.
func (j *judge) ours(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, j.module+"/")
}

func (j *judge) judge(name string, p Package) {
	if slices.Contains(emptyNames, path.Base(name)) {
		j.breach("%s: the name says nothing about what is inside; name it after what it holds", name)
	}
	r, ok := roomOf(name)
	if !ok {
		j.breach("%s has no layer; give it a line in internal/law/rooms.go and in the map of the house", name)
		return
	}
	for _, imported := range p.Imports {
		if other, ours := j.ours(imported); ours {
			j.own(r, other)
			continue
		}
		j.outside(r, imported)
	}
	for _, forbidden := range mustNotReach[r.layer] {
		j.reach(r, p, forbidden)
	}
}

func roomOf(name string) (room, bool) {
	i := slices.IndexFunc(rooms, func(r room) bool { return r.path == name })
	if i < 0 {
		return room{}, false
	}
	return rooms[i], true
}

// own judges an import of one of our packages.
func (j *judge) own(r room, other string) {
	to, ok := roomOf(other)
	if !ok || slices.Contains(r.also, other) || slices.Contains(mayImport[r.layer], to.layer) {
		return // a package without a layer is a breach of its own
	}
	if r.layer == Edge && other == edgeMayTalkTo {
		return
	}
	j.breach("%s (%s) imports %s (%s); %s", r.path, r.layer, other, to.layer, cure(r.layer))
}

func cure(l Layer) string {
	switch l {
	case Pure:
		return "pure code takes what it needs as a value: declare the value here and let an engine translate"
	case Leaf:
		return "a leaf knows pure code and other leaves: move what needs more into an engine or an adapter"
	case Engine:
		return "an engine says what it needs as an interface in its ports.go, and cmd/gatecamp hands it in"
	case Adapter:
		return "adapters do not know each other or what uses them: share the contract in storage or take it as an argument"
	case Edge:
		return "edges know engines and discord: take the rest through a small interface that cmd/gatecamp fills"
	case Wiring, Harness:
		return "move it to where it belongs"
	}
	return ""
}

// outside judges an import of a library. The standard library is judged by what must not be reached.
func (j *judge) outside(r room, imported string) {
	if j.packages[imported].Standard || !strings.Contains(strings.Split(imported, "/")[0], ".") {
		return
	}
	for _, h := range homes {
		if !within(imported, h.library) {
			continue
		}
		if !slices.Contains(h.in, "") && !slices.Contains(h.in, r.path) && !slices.Contains(h.in, r.layer.String()) {
			j.breach("%s imports %s, whose home is %s; call that package, or put what you need behind its interface", r.path, imported, strings.Join(h.in, ", "))
		}
		return
	}
	j.breach("%s imports %s, which has no home; give the library one in internal/law/rooms.go and in .golangci.yml, or do without it", r.path, imported)
}

// reach judges everything behind the imports.
func (j *judge) reach(r room, p Package, forbidden string) {
	list := p.Deps
	if slices.Contains(onlyDirectly, forbidden) {
		list = p.Imports
	}
	if local, ok := strings.CutPrefix(forbidden, "./"); ok {
		forbidden = j.module + "/" + local
	}
	for _, dep := range list {
		hit := dep == forbidden
		if !j.packages[dep].Standard {
			hit = within(dep, forbidden)
		}
		if hit {
			j.breach("%s (%s) reaches %s by %s; %s", r.path, r.layer, dep, strings.Join(j.way(p.ImportPath, dep), " → "), cure(r.layer))
			return
		}
	}
}

// way finds the shortest chain of imports, so that the message names the one to cut.
func (j *judge) way(from, to string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == to {
			var chain []string
			for ; at != ""; at = came[at] {
				chain = append(chain, at)
			}
			slices.Reverse(chain)
			return chain
		}
		for _, next := range j.packages[at].Imports {
			if _, seen := came[next]; !seen {
				came[next] = at
				queue = append(queue, next)
			}
		}
	}
	return []string{from, "…", to}
}

// within reports whether the package is the library or lies under it.
func within(pkg, library string) bool { return pkg == library || strings.HasPrefix(pkg, library+"/") }
