-- Additional keys of an environment, each with scopes. The key itself is not
-- kept: "key_hash" is its SHA-256 in hex.
CREATE TABLE api_keys (
  "id"                     text PRIMARY KEY,
  "name"                   text NOT NULL,
  "key_hash"               text NOT NULL,
  "last_four"              text NOT NULL,
  "runtime_environment_id" text NOT NULL REFERENCES "RuntimeEnvironment" ("id") ON UPDATE CASCADE ON DELETE CASCADE,
  "scopes"                 text[],
  "expires_at"             timestamp(3),
  "revoked_at"             timestamp(3),
  "last_used_at"           timestamp(3),
  "created_at"             timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at"             timestamp(3) NOT NULL
);
CREATE UNIQUE INDEX api_keys_key_hash_key ON api_keys ("key_hash");
