SELECT (SELECT tgenabled = 'A' FROM pg_trigger WHERE tgname = 'redaction_only' AND tgrelid = 'ledger.events'::regclass)
   AND (SELECT prosecdef AND proowner = 'ledger_redactor'::regrole FROM pg_proc WHERE oid = 'ledger.redact'::regproc)
   AND has_column_privilege('ledger_redactor', 'ledger.events', 'payload', 'UPDATE')
   AND NOT has_column_privilege('ledger_redactor', 'ledger.events', 'meta', 'UPDATE')
   AND NOT has_function_privilege('ledger_writer', 'ledger.redact(bigint)', 'EXECUTE')
   AND NOT has_function_privilege('ledger_reader', 'ledger.redact(bigint)', 'EXECUTE')
   AND has_function_privilege('ledger_reader', 'ledger.remains(bigint)', 'EXECUTE')
   AND NOT has_schema_privilege('ledger_redactor', 'ledger', 'CREATE');
