package oracle

import (
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
