package replication

// SessionSettings are the settings of a session under which Postgres writes
// values as Electric does (sync-service 1.7.12, postgres.ex). A snapshot that is
// to be joined to this stream must be read under the same ones. The timeouts that
// a database or a role may have for its other users are switched off.
func SessionSettings() map[string]string {
	return map[string]string{
		"bytea_output":       "hex",
		"DateStyle":          "ISO, DMY",
		"TimeZone":           "UTC",
		"extra_float_digits": "1",
		"IntervalStyle":      "iso_8601",
		"client_encoding":    "UTF8",

		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_session_timeout":                "0",
		"idle_in_transaction_session_timeout": "0",
	}
}
