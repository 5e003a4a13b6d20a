// Package auth says who asks and what they may see.
//
// A request carries one credential in its Authorization header, and
// Authenticator.Authenticate turns it into a Principal: an environment, the
// scopes held in it, and what the credential hides. The credentials read here
// are the platform's own:
//
//   - a root key, the secret of an environment ("RuntimeEnvironment"."apiKey"):
//     it may do everything in that environment;
//   - a public token, a JWT that somebody holding a root key signed with it:
//     it may do what its scopes say, until it expires.
//
// # Growing it
//
// Every kind of credential is one implementation of the unexported interface
// credential, in a file of its own; Authenticator asks them in order and the
// first that recognises the text decides alone. A further kind of key is a
// further file and a line in NewAuthenticator. Which keys verify a signature
// is the Directory's answer (Entry.SigningKeys), so a key that was rotated out
// and is still in its time of grace is a matter of the Directory. So is a
// cache: a Directory in front of a Directory.
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
