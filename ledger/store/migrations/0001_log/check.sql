SELECT (SELECT count(*) = 1 FROM ledger.head)
   AND (SELECT count(*) = 1 FROM ledger.identity)
   AND (SELECT count(*) = 5 FROM pg_trigger WHERE tgname = 'append_only' AND tgenabled = 'A'
           AND tgrelid IN ('ledger.events'::regclass, 'ledger.commands'::regclass, 'ledger.identity'::regclass,
                           'ledger.migrations'::regclass, 'ledger.head'::regclass))
   AND has_function_privilege('ledger_writer', (SELECT oid FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname = 'append'), 'EXECUTE')
   AND NOT has_function_privilege('ledger_reader', (SELECT oid FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname = 'append'), 'EXECUTE')
   AND NOT has_table_privilege('ledger_writer', 'ledger.events', 'INSERT, UPDATE, DELETE, TRUNCATE')
   AND NOT has_table_privilege('ledger_writer', 'ledger.head', 'INSERT, UPDATE, DELETE, TRUNCATE')
   AND NOT has_table_privilege('ledger_reader', 'ledger.events', 'INSERT, UPDATE, DELETE, TRUNCATE')
   AND has_table_privilege('ledger_reader', 'ledger.events', 'SELECT');
