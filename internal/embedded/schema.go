package embedded

import (
	"encoding/json"
)

// schemaEntry is one column of the electric-schema header (sync-service
// 1.7.12, schema.ex).
type schemaEntry struct {
	Type      string `json:"type"`
	Dims      int    `json:"dims,omitempty"`
	MaxLength *int32 `json:"max_length,omitempty"`
	Length    *int32 `json:"length,omitempty"`
	Precision *int32 `json:"precision,omitempty"`
	Scale     *int32 `json:"scale,omitempty"`
	NotNull   bool   `json:"not_null,omitempty"`
	PKIndex   *int   `json:"pk_index,omitempty"`
}

// schemaHeader describes the selected columns. An array column without
// attndims keeps its catalog name and has no dims, as Electric describes it.
func schemaHeader(columns []*columnSchema) string {
	m := make(map[string]schemaEntry, len(columns))
	for _, c := range columns {
		m[c.name] = c.entry()
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic("a map of plain structs cannot be written as JSON: " + err.Error())
	}
	return string(b)
}

func (c *columnSchema) entry() schemaEntry {
	e := schemaEntry{Type: c.typeName, NotNull: c.notNull}
	if c.pkIndex >= 0 {
		e.PKIndex = &c.pkIndex
	}
	if c.element != "" && c.dims > 0 {
		e.Type, e.Dims = c.element, c.dims
	}
	if c.modifier < 0 {
		return e
	}
	const header = 4 // varlena modifiers count the length word
	switch c.typeOID {
	case oidTime, oidTimestamp, oidTimestampTZ, oidTimeTZ:
		e.Precision = ptr(c.modifier)
	case oidVarchar:
		e.MaxLength = ptr(c.modifier - header)
	case oidBpchar:
		e.Length = ptr(c.modifier - header)
	case oidBit, oidVarbit:
		e.Length = ptr(c.modifier)
	case oidNumeric:
		e.Precision = ptr((c.modifier - header) >> 16)
		e.Scale = ptr((c.modifier - header) & 0xffff)
	}
	return e
}

func ptr(n int32) *int32 { return &n }
