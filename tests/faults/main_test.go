package faults

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"
	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// patience bounds each wait for what should come soon, far above what it takes, because
// machines that test are busy.
const patience = 2 * time.Minute

// clients is the folder of the npm clients and their drivers.
const clients = "../clients"

func TestMain(m *testing.M) {
	log.Logger = zerolog.Nop() // toxics of toxiproxy write there
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	err := npm.Install(ctx, clients)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests/faults:", err)
		os.Exit(1)
	}
	// What toxiproxy had in hand of a connection that a toxic has closed, it keeps for ever.
	const proxy = "github.com/Shopify/toxiproxy/v2"
	pgtest.Main(m, goleak.IgnoreAnyFunction(proxy+".(*ToxicLink).read"), goleak.IgnoreAnyFunction(proxy+"/toxics.(*ToxicStub).Run"))
}
