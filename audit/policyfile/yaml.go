package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document. The parser takes quadratic time in the number of tokens and a great deal of memory in the depth, so both
// are counted before it sees anything.
const (
	maxBytes  = 256 << 10
	maxTokens = 16_384
	maxDepth  = 16
)

// parseYAML turns a document into a Value, or says what is wrong with it as a document.
func parseYAML(data []byte) (root Value, faults Faults) {
	if len(data) > maxBytes {
		return root, Faults{{Says: fmt.Sprintf("%d bytes; a policy has at most %d", len(data), maxBytes)}}
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if at := invalidUTF8(data); at >= 0 {
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		column := 1 + utf8.RuneCount(data[bytes.LastIndexByte(data[:at], '\n')+1:at])
		return root, Faults{{Line: line, Column: column, Says: "not UTF-8; save the file in UTF-8"}}
	}
	tokens := lexer.Tokenize(string(data))
	if faults := checkTokens(tokens); len(faults) > 0 {
		return root, faults
	}
	file, err := parseTokens(tokens)
	if err != nil {
		return root, Faults{syntaxFault(err)}
	}
	return convertFile(file)
}

// parseTokens guards against panics of the parser: what people write must end in a sentence, not in a stack.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not readable as YAML: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// checkTokens refuses what a policy has no use for and what could blow up later.
func checkTokens(tokens token.Tokens) Faults {
	if len(tokens) > maxTokens {
		return Faults{{Says: fmt.Sprintf("more than %d words and signs; a policy is a page of text", maxTokens)}}
	}
	depth, dashes := 0, 0
	for _, t := range tokens {
		at := func(says string) Faults {
			return Faults{{Line: t.Position.Line, Column: t.Position.Column, Says: says}}
		}
		if t.Type == token.SequenceEntryType {
			dashes++
		} else {
			dashes = 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return at("anchors and aliases (&, *, <<) are not used in policies; write the value out")
		case token.TagType, token.DirectiveType:
			return at("tags and directives (!, %) are not used in policies; write the plain value")
		case token.MappingKeyType:
			return at("keys with ? are not used in policies; write \"key: value\"")
		default:
		}
		if depth > maxDepth || dashes > maxDepth {
			return at("nested too deeply for a policy")
		}
	}
	return nil
}

func syntaxFault(err error) Fault {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		return Fault{Line: syntax.Token.Position.Line, Column: syntax.Token.Position.Column, Says: "not YAML: " + syntax.Message}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return Fault{Says: "not YAML: " + first}
}

func convertFile(file *ast.File) (root Value, faults Faults) {
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.NullType {
			bodies = append(bodies, d.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		return root, Faults{{Says: "empty; a policy that only reports is written {}"}}
	case len(bodies) > 1:
		t := bodies[1].GetToken()
		return root, Faults{{Line: t.Position.Line, Column: t.Position.Column, Says: "a second document begins here; a policy is one"}}
	}
	c := converter{}
	return c.value(bodies[0], 0), c.faults
}

type converter struct{ faults Faults }

func (c *converter) value(n ast.Node, depth int) Value {
	if n == nil {
		return Value{}
	}
	var v Value
	t := n.GetToken()
	if t != nil && t.Position != nil {
		v.Line, v.Column = t.Position.Line, t.Position.Column
	}
	if depth > maxDepth {
		c.faults = append(c.faults, Fault{Line: v.Line, Column: v.Column, Says: "nested too deeply for a policy"})
		return v
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		v.Shape, v.Text = Bool, t.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.Shape, v.Text = Number, t.Value
	case *ast.StringNode:
		v.Shape, v.Text = Text, n.Value
	case *ast.LiteralNode:
		v.Shape, v.Text = Text, n.Value.Value
	case *ast.SequenceNode:
		v.Shape = List
		for _, item := range n.Values {
			v.Items = append(v.Items, c.value(item, depth+1))
		}
	case *ast.MappingNode:
		v.Shape = Map
		for _, e := range n.Values {
			v.Entries = append(v.Entries, c.entry(e, depth))
		}
	case *ast.MappingValueNode:
		v.Shape, v.Entries = Map, []Entry{c.entry(n, depth)}
	default:
		c.faults = append(c.faults, Fault{Line: v.Line, Column: v.Column, Says: fmt.Sprintf("%s is not used in policies", n.Type())})
	}
	return v
}

func (c *converter) entry(n *ast.MappingValueNode, depth int) Entry {
	key := c.value(n.Key, depth+1)
	e := Entry{Key: key.Text, Line: key.Line, Column: key.Column, Value: c.value(n.Value, depth+1)}
	switch key.Shape {
	case Null:
		e.Key = n.Key.GetToken().Value
	case List, Map:
		c.faults = append(c.faults, Fault{Line: e.Line, Column: e.Column, Says: key.Shape.String() + " cannot be a key"})
	case Bool, Number, Text:
	}
	return e
}
