package blackbox

import "testing"

// TestHardening is the list of what somebody who means harm, or a broken client,
// may try. Each function begins with the sentence that says what it prevents. The
// order is that of a request's way in: its connection, its path, its credential,
// its query, its cursor, and then what goes to the upstream and what comes back.
//
// They share one gateway: whatever one of them sends, the others must not notice.
// What needs a gateway of its own settings is a test of its own:
//
//	connection  TestSlowHeaders, TestSlowBodies, TestManyIdleConnections, TestReadersThatNeverRead
//	token       TestATokenThatEndsWhileItsPollIsHeld
//	cursor      TestEveryBitOfAHandle, TestEveryDigitOfAnOffset, TestACursorOfAnother,
//	            TestHalvesOfTwoCursors, TestACursorOfAnotherKey
//	upstream    TestNothingOfTheRequestGoesUpstream, TestAnUpstreamThatEchoesAndRedirects,
//	            TestAnUpstreamThatFails, and TestServeAsksNoProxy of cmd/realtime-gw
//	answer      TestTwoShareOnlyWhatBothMaySee, TestNobodySeesAnothersRows
//	end         TestDrain
//
// The log of every gateway is searched for keys, tokens, rows and the upstream's
// secret when its test ends (world.checkLog).
//
// Not here, because a held poll and a slow network look alike: a least rate, a most of
// connections of one address. What a reader costs who takes nothing is bounded
// (TestReadersThatNeverRead), and for how long (gateway.TestWhoTakesNothingIsCut); what an
// environment may hold is its concurrency limit, and connections are counted by what
// stands in front, which sees the addresses.
//
// Not here, because there are no WebSockets yet: their origin, their handshake's
// credential, the size of their frames, and what closes them when a token ends or
// the process does.
func TestHardening(t *testing.T) {
	w := newWorld(t, settings{})
	for _, c := range []struct {
		name string
		test func(*world)
	}{
		{"connection/body beside a request", bodiesAreNotRequests},
		{"connection/two readings of a length", smuggledLengths},
		{"connection/pipelining", pipelining},
		{"connection/HTTP 1.0", oldHTTP},
		{"connection/host", hosts},
		{"connection/h2c", sameAnswersOverHTTP2},
		{"connection/megabyte of headers", aMegabyteOfHeaders},
		{"path/spellings and methods", oddPaths},
		{"path/methods", methods},
		{"header/aliases", headerAliases},
		{"header/cross-origin credentials", neverWithCredentials},
		{"token/algorithm", algorithmOfTheToken},
		{"token/keys in its header", keysInTheHeader},
		{"token/unsigned", unsignedTokens},
		{"token/edited", editedTokens},
		{"token/megabyte", aTokenOfAMegabyte},
		{"token/another environment", tokensOfAnotherEnvironment},
		{"token/claims", claimsThatAreRefused},
		{"token/names of claims", namesOfClaims},
		{"token/keys", keysThatAreRefused},
		{"query/given twice", parametersTwice},
		{"query/two readings", queriesWithTwoReadings},
		{"query/too much", tooMuchQuery},
		{"tags/refused", tagsThatAreRefused},
		{"tags/values", tagsAreValues},
		{"tags/look-alikes", lookAlikes},
		{"tags/10,000", tenThousandTags},
		{"tags/9 KB", aTagOf9KB},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(w.in(t)) })
	}
}

// in is the same world for a part of a test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.t = t
	part.ours.w, part.theirs.w = &part, &part
	return &part
}
