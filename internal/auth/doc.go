// Package auth says who asks and what they may see.
//
// A request carries one credential in its Authorization header, and
// Authenticator.Authenticate turns it into a Principal: an environment, the
// scopes held in it, and what the credential hides. The credentials read here
// are the platform's own:
//
//   - a root key, the secret of an environment ("RuntimeEnvironment"."apiKey"):
//     it may do everything in that environment. One that was replaced may do so
//     until its time of grace is over ("RevokedApiKey");
//   - an additional key of an environment (api_keys), of the form
//     tr_<dev|stg|prod|preview>_sk_ and 24 letters and digits: it may do what
//     its scopes say, until it expires or is revoked;
//   - a public token, a JWT that somebody holding a root key signed with it:
//     it may do what its scopes say, until it expires, and as long as the key
//     is in use or in its time of grace.
//
// Everything else that begins with tr_, personal access tokens among it, opens
// no feed and is an invalid key, as on the platform.
//
// A branch (of a preview or development environment) is an environment of its
// own. A token names it; with a key it is named by the header x-trigger-branch,
// and the key is its parent's. An environment that was archived can no longer be
// named as a branch; its tokens and its own key are not refused for it, which is
// the platform's rule as well.
//
// # How old an answer may be
//
// Cache remembers what the database said, so that a poll costs no query:
//
//   - what was found, for 30 seconds from the question. A key that is revoked,
//     loses scopes, or whose project is deleted stops working within that time,
//     and so does a branch that is archived. A replica adds its lag;
//   - that something is unknown, for one second. A new environment, key or
//     branch works within it;
//   - a failure, never.
//
// What expires is checked against the clock on every request and is never
// remembered as valid: tokens, keys in their time of grace, additional keys. A
// token that no remembered key signed is checked once more against the primary,
// at most once in a second for each environment: after a rotation, tokens signed
// with the new key work within a second, and forged ones cost no more than that.
//
// A poll that is held when its credential ends is answered at that moment, and
// the next one is refused (feeds.Place).
//
// # Growing it
//
// Every kind of credential is one implementation of the unexported interface
// credential, in a file of its own; Authenticator asks them in order and the
// first that recognises the text decides alone. A further kind of key is a
// further file and a line in NewAuthenticator.
//
// # What must stay true
//
//   - A refusal is a 401 with one of the platform's texts, and clients take it
//     as final. A database that cannot be asked is therefore never a refusal:
//     it is a 503, which clients retry.
//   - No error, log line or formatted value holds a key or a token. Keys are
//     of type Key, which does not print.
//   - Nothing of a token is used before its signature is verified, except its
//     subject, and that only to find the key that must have signed it.
package auth
